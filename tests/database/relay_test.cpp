// A relay between a real database and WeChat Pay's sandbox.
#include "src/outbox/relay.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <numeric>
#include <thread>

#include "src/outbox/observer.hpp"
#include "tests/database/outbox_fixture.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

/// One relay in its own thread. It ends with the test at the latest.
class Running {
 public:
  Running(RelayOptions options, Relay::OpenStore open_store, BonusCommitClient client)
      : client_(std::move(client)),
        relay_(std::move(options), std::move(open_store), client_,
               [this](const std::string& line) {
                 const std::lock_guard<std::mutex> lock(mutex_);
                 log_ += line + "\n";
               }),
        thread_([this] { end_ = relay_.run(); }) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    relay_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  RelayEnd stop() {
    relay_.request_stop();
    return wait();
  }
  RelayEnd wait() {
    thread_.join();
    return end_;
  }
  std::string log() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return log_;
  }
  void request_stop() { relay_.request_stop(); }
  bool cut_statement() { return relay_.cut_statement(); }
  Metrics metrics() const { return relay_.metrics(); }
  bool said(const std::string& text) const { return contains(log(), text); }

 private:
  mutable std::mutex mutex_;
  std::string log_;
  const BonusCommitClient client_;
  Relay relay_;
  RelayEnd end_ = RelayEnd::unsettled;
  std::thread thread_;
};

class RelayParts : protected OutboxParts {
 protected:
  explicit RelayParts(DatabaseServer& server) : OutboxParts(server) {
    options_.owner = owner;
    options_.max_in_flight = 16;
  }

  BonusCommitClient client() const {
    ClientOptions client_options;
    client_options.origins = {sandbox_->origin()};
    client_options.retry.max_tries = 1;
    client_options.timeout = Lease::deadline(options_.lease);
    client_options.rate_limit.longest_pause = std::chrono::seconds(1);
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    return BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options).value(), client_options)
        .value();
  }

  std::unique_ptr<Running> start_with(Relay::OpenStore open_store) const {
    return std::make_unique<Running>(options_, std::move(open_store), client());
  }
  std::unique_ptr<Running> start(const std::string& url) const {
    return start_with([url] { return open_store(url); });
  }
  std::unique_ptr<Running> start() const { return start(url_); }

  bool becomes_empty() const {
    return becomes([this] { return unsettled() == 0; });
  }

  /// Every done row was committed, and every commit belongs to a done row.
  void expect_done_as_committed(std::size_t orders) const {
    const auto committed = sandbox_->wechat_pay().committed();
    EXPECT_EQ(committed.size(), orders);
    EXPECT_EQ(done(), static_cast<int>(orders));
    for (const CommittedOrder& one : committed) {
      EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_done WHERE out_trade_no = '" +
                       one.request.out_trade_no + "'"),
                1);
    }
  }

  /// Inserts rows, half of which are that old and have `more` set, and expects a relay to commit these alone.
  void expect_old_rows_alone_done(int each, int minutes, const std::string& more = "") const {
    insert(each, "young");
    insert(each, "old");
    execute("UPDATE wechatpay_bonus_outbox SET created_at = now() - interval '" + std::to_string(minutes) + "' minute" +
            more + " WHERE out_trade_no LIKE 'old%';");
    const auto relay = start();
    ASSERT_TRUE(becomes([&] { return done() == each; })) << relay->log();
    EXPECT_EQ(relay->stop(), RelayEnd::stopped);
    EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE out_trade_no LIKE 'young%' AND claims = 0"),
              each);
  }

  const std::unique_ptr<Sandbox> sandbox_ = Sandbox::start().value();
  RelayOptions options_;
};

class RelayTest : public ::testing::TestWithParam<SharedServer>, protected RelayParts {
 protected:
  RelayTest() : RelayParts(GetParam().get()) {}
};

class PostgresqlRelayTest : public ::testing::Test, protected RelayParts {
 protected:
  PostgresqlRelayTest() : RelayParts(PostgresqlServer::shared()) {}
};

TEST_P(RelayTest, CommitsWhatIsThereAndWhatComes) {
  insert(40, "before");
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  insert(3, "after");
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped);
  expect_done_as_committed(43);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_done WHERE request_id = ''"), 0);
  EXPECT_TRUE(relay->said(" credited")) << relay->log();
}

TEST_P(RelayTest, MerchantsTakeTurnsSoThatOneWithManyRowsHoldsUpNoOther) {
  options_.fair = true;
  insert(300, "many");
  insert(10, "few");
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '1900000777' WHERE out_trade_no LIKE 'few%';");
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  expect_done_as_committed(310);
  const auto latest_first = sandbox_->wechat_pay().latest_committed(310);
  const auto last = std::find_if(latest_first.begin(), latest_first.end(),
                                 [](const CommittedOrder& one) { return one.request.sub_mchid == "1900000777"; });
  EXPECT_LE(latest_first.end() - last, 80) << "they were inserted behind 300 others";
}

TEST_P(RelayTest, AMerchantWhoseRowsWaitForTheEndOfTheDelayHoldsUpNoOther) {
  options_.fair = true;
  options_.delay = std::chrono::minutes(5);
  options_.pace.per_second = 100;
  expect_old_rows_alone_done(20, 6, ", sub_mchid = '1900000777'");
}

TEST_F(PostgresqlRelayTest, WhereAnotherTransactionHoldsAllRowsItIsNotTheRateThatARelayWaitsFor) {
  insert(5);
  options_.pace.per_second = 100;
  const auto other = connect(url_);
  other->execute("BEGIN; UPDATE wechatpay_bonus_outbox SET bonus_value = 31;");
  store();
  const std::string before = value("SELECT next_at FROM wechatpay_bonus_outbox_pace");
  const auto relay = start();
  ASSERT_TRUE(becomes([&] { return value("SELECT next_at FROM wechatpay_bonus_outbox_pace") != before; })) << "it asks";
  EXPECT_EQ(relay->metrics().waited_for_rate_at, Metrics::Clock::time_point{}) << relay->log();
  other->execute("ROLLBACK;");
  EXPECT_TRUE(becomes_empty()) << relay->log();
}

TEST_P(RelayTest, ARowWaitsForTheEndOfTheDelay) {
  options_.delay = std::chrono::hours(1);
  expect_old_rows_alone_done(3, 61);
}

TEST_P(RelayTest, AnOrderThatIsRefusedIsDeadAndTheOthersAreDone) {
  insert(10);
  execute("UPDATE wechatpay_bonus_outbox SET bonus_value = 0 WHERE out_trade_no = 'order-3';");
  sandbox_->answer_with([this](const HttpRequest& request) {
    return contains(request.body, "\"order-5\"")
               ? sandbox_->wechat_pay().error(400, "INVALID_REQUEST", "the code does not exist", request)
               : sandbox_->wechat_pay().answer(request);
  });
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(done(), 8);
  EXPECT_EQ(value("SELECT kind || ' ' || attempts FROM wechatpay_bonus_outbox_dead WHERE out_trade_no = 'order-3'"),
            "invalid 0");
  EXPECT_EQ(value("SELECT kind || ' ' || attempts || ' ' || error_code FROM wechatpay_bonus_outbox_dead "
                  "WHERE out_trade_no = 'order-5'"),
            "refused 1 INVALID_REQUEST");
}

TEST_P(RelayTest, AResultThatTheDatabaseRefusesKeepsNoOtherFromBeingWritten) {
  insert(40);
  execute(
      "ALTER TABLE wechatpay_bonus_outbox_done ADD CONSTRAINT merchants CHECK (out_trade_no NOT IN ('order-7', "
      "'order-30'));");
  const auto relay = start();
  ASSERT_TRUE(becomes([this] {
    return done() == 38 && number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL") == 2;
  })) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped) << relay->log();
  EXPECT_TRUE(relay->said("the database refuses to write its result")) << relay->log();
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE attempts = 1 AND claims = 1 AND due_at > now() + "
                   "interval '30' minute AND last_error LIKE 'the database refused%'"),
            2);
}

TEST_P(RelayTest, AResultThatTheDatabaseRefusesInEachFormIsLeftToTheEndOfItsLease) {
  insert(10);
  const bool postgresql = server_.name() == "PostgreSQL";
  execute("ALTER TABLE wechatpay_bonus_outbox_done ADD CONSTRAINT merchants CHECK (out_trade_no <> 'order-7');");
  execute("ALTER TABLE wechatpay_bonus_outbox ADD CONSTRAINT waits CHECK (last_error IS NULL);");
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 9; })) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped) << relay->log();
  EXPECT_EQ(value("SELECT out_trade_no FROM wechatpay_bonus_outbox WHERE claim IS NOT NULL"), "order-7");
  EXPECT_TRUE(relay->said(postgresql ? "(23514)" : "(4025)")) << relay->log();
}

TEST_P(RelayTest, ItsMetricsAgreeWithTheTables) {
  insert(12);
  execute(
      "UPDATE wechatpay_bonus_outbox SET created_at = now() - interval '100' second; "
      "UPDATE wechatpay_bonus_outbox SET card_id = '' WHERE out_trade_no = 'order-5';");
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped);
  const Metrics metrics = relay->metrics();
  EXPECT_EQ(metrics.settled.done, static_cast<std::uint64_t>(done()));
  EXPECT_EQ(metrics.settled.dead, static_cast<std::uint64_t>(dead()));
  EXPECT_EQ(dead(), 1);
  EXPECT_GE(metrics.claims, 12U);
  EXPECT_EQ(metrics.leases_lost, 0U);
  EXPECT_EQ(metrics.in_flight, 0U);
  EXPECT_TRUE(metrics.breaker_closed);
  EXPECT_FALSE(metrics.database_failing_since);
  EXPECT_EQ(std::accumulate(metrics.credit_delays.counts.begin(), metrics.credit_delays.counts.begin() + 6, 0U), 0U)
      << "each row is over a minute old";
  EXPECT_EQ(std::accumulate(metrics.credit_delays.counts.begin(), metrics.credit_delays.counts.end(), 0U), 11U);
}

TEST_P(RelayTest, AnErrorOfTheDatabaseIsCountedByItsNumber) {
  execute("ALTER TABLE wechatpay_bonus_outbox_pace RENAME TO away;");
  options_.pace.per_second = 1000;
  const auto refused = start();
  EXPECT_EQ(refused->wait(), RelayEnd::database_refused);
  EXPECT_TRUE(refused->metrics().database_failing_since);
  ASSERT_EQ(refused->metrics().database_errors.size(), 1U);
  EXPECT_FALSE(refused->metrics().database_errors.begin()->first.empty());
}

TEST_P(RelayTest, AProbeThatFailsIsNoProgress) {
  insert(40);
  std::atomic<int> calls{0};
  sandbox_->answer_with([&calls](const HttpRequest&) {
    ++calls;
    return HttpResponse{503, {}, ""};
  });
  const auto relay = start();
  const auto before = relay->metrics().moved_at;
  ASSERT_TRUE(becomes([&relay] { return relay->metrics().settled.back >= 2; })) << relay->log();
  EXPECT_EQ(relay->metrics().moved_at, before);
  sandbox_->answer_with([this](const HttpRequest& request) { return sandbox_->wechat_pay().answer(request); });
  ASSERT_TRUE(becomes([&relay] { return relay->metrics().settled.done > 0; })) << relay->log();
  EXPECT_GT(relay->metrics().moved_at, before);
}

TEST_P(RelayTest, AnObserverSeesWhatTheOutboxHoldsAndKeepsItWhileTheDatabaseIsAway) {
  insert(3);
  execute("UPDATE wechatpay_bonus_outbox SET due_at = now() - interval '500' second WHERE out_trade_no = 'order-2';");
  std::atomic<bool> away{false};
  std::atomic<int> looks{0};
  const Observer observer(
      [&]() -> std::unique_ptr<Administration> {
        ++looks;
        if (away) throw DatabaseError("away", "", true);
        return open_administration(url_);
      },
      std::chrono::milliseconds(10));
  ASSERT_TRUE(becomes([&] { return observer.latest().has_value(); }));
  EXPECT_EQ(observer.latest()->status.due, 3U);
  EXPECT_GE(observer.latest()->status.oldest_due_seconds, 500);
  insert(1, "another");
  ASSERT_TRUE(becomes([&] { return observer.latest()->status.due == 4; })) << "it looks again and again";
  away = true;
  const int before = looks;
  ASSERT_TRUE(becomes([&] { return looks >= before + 3; }));
  const auto kept = observer.latest()->time;
  ASSERT_TRUE(becomes([&] { return looks >= before + 5; }));
  EXPECT_EQ(observer.latest()->time, kept);
}

TEST_P(RelayTest, SendsTheMerchantIdsThatARowHas) {
  insert(2);
  execute(
      "UPDATE wechatpay_bonus_outbox SET sub_mchid = '', mchid = '1900000001' WHERE out_trade_no = 'order-1';"
      "UPDATE wechatpay_bonus_outbox SET mchid = '' WHERE out_trade_no = 'order-2';");
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  const auto committed = sandbox_->wechat_pay().committed();
  ASSERT_EQ(committed.size(), 2U);
  EXPECT_EQ(committed[0].request.merchant_mode, MerchantMode::direct);
  EXPECT_EQ(committed[1].request.merchant_mode, MerchantMode::partner);
}

TEST_P(RelayTest, ADatabaseThatCrashesAndComesBackLosesNothing) {
  insert(300);
  options_.lease = std::chrono::seconds(3);
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return !sandbox_->wechat_pay().committed().empty(); }));
  server_.crash();
  ASSERT_TRUE(becomes([&relay] { return relay->said("database: "); }));
  ASSERT_TRUE(becomes([&relay] { return relay->metrics().database_failing_since.has_value(); }));
  server_.start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_TRUE(becomes([&relay] { return !relay->metrics().database_failing_since; }));
  EXPECT_FALSE(relay->metrics().database_errors.empty());
  expect_done_as_committed(300);
  EXPECT_EQ(dead(), 0);
}

TEST_F(PostgresqlRelayTest, ConnectionsThatAreCutLoseNothing) {
  insert(400);
  options_.lease = std::chrono::seconds(3);
  const auto relay = start();
  for (int i = 0; i < 5; ++i) {
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid();");
    const int before = done();
    ASSERT_TRUE(becomes([this, before] { return done() > before || unsettled() == 0; })) << relay->log();
  }
  ASSERT_TRUE(becomes_empty()) << relay->log();
  expect_done_as_committed(400);
}

TEST_F(PostgresqlRelayTest, ADiskThatIsFullStopsClaimsAndCostsNoAttempt) {
  insert(20);
  execute(R"(CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''53100''; END';
    CREATE TRIGGER full_disk BEFORE UPDATE ON wechatpay_bonus_outbox EXECUTE FUNCTION full_disk();)");
  const auto relay = start();
  ASSERT_TRUE(becomes([&relay] { return relay->said("(53100); trying again"); })) << relay->log();
  EXPECT_TRUE(sandbox_->wechat_pay().committed().empty());
  execute(
      "DROP TRIGGER full_disk ON wechatpay_bonus_outbox; "
      "CREATE TRIGGER full_disk BEFORE INSERT ON wechatpay_bonus_outbox_done EXECUTE FUNCTION full_disk();");
  ASSERT_TRUE(becomes([this] { return !sandbox_->wechat_pay().committed().empty(); })) << relay->log();
  execute("DROP TRIGGER full_disk ON wechatpay_bonus_outbox_done;");
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_TRUE(relay->said("the database answers again"));
  EXPECT_EQ(number("SELECT max(attempts) FROM wechatpay_bonus_outbox_done"), 1);
  expect_done_as_committed(20);
}

TEST_F(PostgresqlRelayTest, ADatabaseThatTakesNoResultsCostsOneCall) {
  insert(40);
  execute(R"(CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''53100''; END';
    CREATE TRIGGER full_disk BEFORE INSERT ON wechatpay_bonus_outbox_done EXECUTE FUNCTION full_disk();)");
  const auto relay = start();
  ASSERT_TRUE(becomes([&relay] { return relay->said("(53100); trying again"); })) << relay->log();
  EXPECT_EQ(sandbox_->wechat_pay().committed().size(), 1U);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claims > 0"), 1);
  execute("DROP TRIGGER full_disk ON wechatpay_bonus_outbox_done;");
  ASSERT_TRUE(becomes_empty()) << relay->log();
  expect_done_as_committed(40);
}

TEST_F(PostgresqlRelayTest, ATransactionThatIsOpenForLongHoldsNothingUp) {
  const auto long_one = connect(url_);
  long_one->execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM wechatpay_bonus_outbox;");
  insert(200);
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(done(), 200);
  // Inserted before the others, but visible after them.
  long_one->execute(
      "ROLLBACK; BEGIN; INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, due_at, "
      "bonus_value) VALUES ('1', '2', 'late', '1900000001', now() - interval '1' hour, 5); COMMIT;");
  ASSERT_TRUE(becomes_empty()) << relay->log();
}

TEST_P(RelayTest, AWrongKeyStopsItAndEveryRowIsAsBefore) {
  insert(50);
  sandbox_->answer_with([this](const HttpRequest& request) {
    return sandbox_->wechat_pay().error(401, "SIGN_ERROR", "the signature is wrong", request);
  });
  const auto relay = start();
  EXPECT_EQ(relay->wait(), RelayEnd::setup_wrong) << relay->log();
  EXPECT_TRUE(relay->said("every further order would fail likewise")) << relay->log();
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND attempts = 0 AND claims = 0 "
                   "AND due_at <= now() + interval '1' minute"),
            50);
}

TEST_P(RelayTest, AMerchantModeThatDoesNotFitTheRowsStopsItAndEveryRowIsAsBefore) {
  insert(20);
  options_.mode = MerchantMode::direct;
  const auto relay = start();
  ASSERT_TRUE(becomes([&relay] { return relay->said("the mode both, and the merchant mode that is set is direct"); }))
      << relay->log();
  EXPECT_EQ(relay->wait(), RelayEnd::setup_wrong);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND attempts = 0 AND claims = 0"),
            20);
}

TEST_P(RelayTest, ARowWithAnotherMerchantsIdStopsNobody) {
  insert(20);
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '', mchid = '1999999999' WHERE out_trade_no = 'order-1';");
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 19; })) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped) << relay->log();
  EXPECT_GE(number("SELECT attempts FROM wechatpay_bonus_outbox"), 1);
  EXPECT_EQ(dead(), 0);
}

TEST_P(RelayTest, ManyRowsWithAnotherMerchantsIdAreNoOutage) {
  options_.max_in_flight = 64;
  insert(40);
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 40; })) << relay->log();
  execute(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, bonus_value) "
      "SELECT card_id, code, 'theirs-' || id, '1999999999', 30 FROM wechatpay_bonus_outbox_done;");
  ASSERT_TRUE(becomes([this] {
    return number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND last_error IS NOT NULL") == 40;
  })) << relay->log();
  insert(20, "more");
  ASSERT_TRUE(becomes([this] { return done() == 60; })) << relay->log();
  EXPECT_FALSE(relay->said("20 failures in a row")) << relay->log();
  EXPECT_EQ(dead(), 0);
}

TEST_P(RelayTest, OneCallShowsThatAMerchantsIdIsWrongAndItsOtherRowsWaitAMinute) {
  insert(1, "ours");
  insert(10, "theirs");
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '', mchid = '1999999999' WHERE out_trade_no <> 'ours-1';");
  std::atomic<int> calls{0};
  sandbox_->answer_with([&](const HttpRequest& request) {
    calls += contains(request.body, "1999999999") ? 1 : 0;
    return sandbox_->wechat_pay().answer(request);
  });
  options_.max_in_flight = 1;
  const auto relay = start();
  ASSERT_TRUE(becomes([this] {
    return number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND last_error IS NOT NULL") == 10;
  })) << relay->log();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(becomes([&relay] { return relay->metrics().merchants_doubted == 1; })) << relay->log();
  EXPECT_EQ(relay->metrics().merchants_without_permission, 0U);
}

TEST_P(RelayTest, AMissingPermissionHoldsThatMerchantsRowsAlone) {
  insert(10, "theirs");
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '1900000777';");
  insert(10, "ours");
  std::atomic<bool> permitted{false};
  sandbox_->answer_with([&](const HttpRequest& request) {
    const bool theirs = contains(request.body, "1900000777");
    return theirs && !permitted ? sandbox_->wechat_pay().error(403, "NO_AUTH", "no permission", request)
                                : sandbox_->wechat_pay().answer(request);
  });
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 10; })) << relay->log();
  ASSERT_TRUE(becomes([this] {
    return number(
               "SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND "
               "due_at > now() + interval '5' minute") == 10;
  })) << relay->log();
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(relay->metrics().merchants_without_permission, 1U);
  EXPECT_EQ(relay->metrics().merchants_doubted, 0U);
  permitted = true;
  EXPECT_EQ(open_administration(url_)->resume(), 10U);
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(done(), 20);
}

TEST_P(RelayTest, ACardOfAnotherMerchantHoldsItsOwnRowsAlone) {
  insert(5, "theirs");
  execute("UPDATE wechatpay_bonus_outbox SET card_id = 'another-card';");
  insert(20, "ours");
  std::atomic<int> calls{0};
  sandbox_->answer_with([&](const HttpRequest& request) {
    const bool theirs = contains(request.path, "another-card");
    calls += theirs ? 1 : 0;
    return theirs
               ? sandbox_->wechat_pay().error(400, "INVALID_REQUEST", "会员卡的创建商户号不等于调用方商户号", request)
               : sandbox_->wechat_pay().answer(request);
  });
  options_.max_in_flight = 1;
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 20; })) << relay->log();
  ASSERT_TRUE(becomes([this] {
    return number(
               "SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND "
               "due_at > now() + interval '5' minute") == 5;
  })) << relay->log();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(relay->metrics().merchants_without_permission, 1U);
}

TEST_P(RelayTest, AnOutageMakesNoDeadRowsAndOneCallAloneProbes) {
  insert(100);
  insert(100, "late");
  execute(
      "UPDATE wechatpay_bonus_outbox SET created_at = now() - interval '10' day, attempts = 20, claims = 20;"
      "UPDATE wechatpay_bonus_outbox SET due_at = now() + interval '1' day WHERE out_trade_no LIKE 'late%';");
  std::atomic<bool> out{true};
  std::atomic<int> under_way{0};
  std::atomic<int> most{0};
  std::atomic<int> calls{0};
  sandbox_->answer_with([&](const HttpRequest& request) {
    ++calls;
    most = std::max(most.load(), ++under_way);
    auto response = out ? HttpResponse{503, {}, ""} : sandbox_->wechat_pay().answer(request);
    --under_way;
    return response;
  });
  const auto relay = start();
  ASSERT_TRUE(becomes([&calls] { return calls >= 3; })) << relay->log();
  EXPECT_EQ(most, 1);
  out = false;
  ASSERT_TRUE(becomes([this] { return done() >= 50; })) << relay->log();
  EXPECT_TRUE(relay->said("calls succeed")) << relay->log();
  out = true;
  execute("UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE out_trade_no LIKE 'late%';");
  ASSERT_TRUE(becomes([&relay] { return relay->said("20 failures in a row"); })) << relay->log();
  EXPECT_EQ(dead(), 0);
}

TEST_P(RelayTest, AStopUnderLoadLeavesNoRowClaimed) {
  insert(500);
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() > 20; })) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NOT NULL OR claims > attempts"), 0);
  EXPECT_EQ(done() + unsettled(), 500);
  expect_done_as_committed(static_cast<std::size_t>(done()));
}

TEST_P(RelayTest, ARowThatKillsItsWorkersIsCalledAloneAndThenDead) {
  insert(30);
  execute(
      "UPDATE wechatpay_bonus_outbox SET claims = 10 WHERE out_trade_no = 'order-2';"
      "UPDATE wechatpay_bonus_outbox SET claims = 6 WHERE out_trade_no = 'order-20';");
  std::atomic<int> under_way{0};
  std::atomic<bool> together{false};
  sandbox_->answer_with([&](const HttpRequest& request) {
    const bool suspect = contains(request.body, "\"order-20\"");
    const int others = under_way++;
    if (suspect && others > 0) together = true;
    auto response = sandbox_->wechat_pay().answer(request);
    --under_way;
    return response;
  });
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_FALSE(together);
  EXPECT_EQ(value("SELECT kind FROM wechatpay_bonus_outbox_dead WHERE out_trade_no = 'order-2'"), "poison");
  EXPECT_EQ(done(), 29);
}

TEST_P(RelayTest, TwoRowsOfOneOrderWithDifferentPointsEndInOneCallAndAConflict) {
  insert(1);
  insert(1);
  execute(
      "UPDATE wechatpay_bonus_outbox SET bonus_value = 31 WHERE id = (SELECT last FROM (SELECT max(id) AS last FROM "
      "wechatpay_bonus_outbox) AS ids);");
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  const int points = number("SELECT bonus_value FROM wechatpay_bonus_outbox_done");
  EXPECT_EQ(value("SELECT kind || ' ' || bonus_value FROM wechatpay_bonus_outbox_dead"),
            "conflict " + std::to_string(61 - points));
  EXPECT_EQ(sandbox_->wechat_pay().times_committed("order-1"), 1U);
}

TEST_P(RelayTest, ARowThatWaitsWhileItsOrderIsDoneWithOtherPointsIsAConflict) {
  options_.max_in_flight = 2;
  std::atomic<bool> released{false};
  sandbox_->answer_with([&](const HttpRequest& request) {
    if (contains(request.body, "slow")) becomes([&released] { return released.load(); });
    return sandbox_->wechat_pay().answer(request);
  });
  insert(1, "probe");
  const auto relay = start();
  ASSERT_TRUE(becomes([this] { return done() == 1; })) << relay->log();
  // All in one claim: the first two are called, the third is called when the first has ended, and the last waits.
  execute(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) "
      "VALUES ('1', '2', 'order', '1230000109', '1900000109', 30), ('1', '2', 'slow-1', '1230000109', '1900000109', "
      "30), ('1', '2', 'slow-2', '1230000109', '1900000109', 30), ('1', '2', 'order', '1230000109', '1900000109', "
      "31);");
  EXPECT_TRUE(becomes([this] { return done() == 2; })) << relay->log();
  released = true;
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(value("SELECT kind || ' ' || bonus_value FROM wechatpay_bonus_outbox_dead"), "conflict 31");
}

TEST_P(RelayTest, A429HaltsAllWorkersOfTheMerchant) {
  insert(5);
  std::atomic<int> calls{0};
  sandbox_->answer_with([&](const HttpRequest& request) {
    ++calls;
    auto response = sandbox_->wechat_pay().error(429, "RATELIMIT_EXCEEDED", "slower", request);
    response.headers.push_back({"Retry-After", "200"});
    return sandbox_->wechat_pay().sign(response, request);
  });
  const auto relay = start();
  const auto administration = open_administration(url_);
  ASSERT_TRUE(becomes([&] { return administration->status().halted_seconds > 100; })) << relay->log();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(store()->claim(claim_of(5)).empty());
  EXPECT_TRUE(becomes([&] { return relay->metrics().rate_limited; })) << "also while only the database knows";
}

TEST_P(RelayTest, ARateThatOthersUseUpIsSeenAndARelayThatWaitsForItIsHealthy) {
  insert(5);
  options_.pace.per_second = 0.001;
  const auto first = start();
  ASSERT_TRUE(becomes([this] { return done() == 2; })) << first->log();
  const auto second = start();  // the burst is used up: it makes no call in the next quarter of an hour
  const auto administration = open_administration(url_);
  const auto begin = second->metrics().waited_for_rate_at;
  ASSERT_TRUE(becomes([&] { return second->metrics().waited_for_rate_at > begin; })) << second->log();
  Metrics metrics = second->metrics();
  metrics.observed = Observation{Metrics::Clock::now(), administration->status(), {}};
  metrics.observed->status.oldest_due_seconds = 500;
  ASSERT_TRUE(metrics.observed->status.rate_used_seconds);
  EXPECT_LT(*metrics.observed->status.rate_used_seconds, -500);
  metrics.moved_at -= std::chrono::seconds(500);
  EXPECT_EQ(health_fault(metrics, metrics.moved_at, Metrics::Clock::now(), std::chrono::minutes(2)), "");
  EXPECT_EQ(done(), 2);
}

TEST_P(RelayTest, ResumeEndsAHaltForTheRelayThatMetItToo) {
  insert(5);
  std::atomic<bool> too_fast{true};
  sandbox_->answer_with([&](const HttpRequest& request) {
    if (!too_fast) return sandbox_->wechat_pay().answer(request);
    auto response = sandbox_->wechat_pay().error(429, "RATELIMIT_EXCEEDED", "slower", request);
    response.headers.push_back({"Retry-After", "300"});
    return sandbox_->wechat_pay().sign(response, request);
  });
  const auto relay = start();
  const auto administration = open_administration(url_);
  ASSERT_TRUE(becomes([&] { return administration->status().halted_seconds > 100; })) << relay->log();
  too_fast = false;
  administration->resume();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(done(), 5);
  EXPECT_FALSE(relay->metrics().rate_limited);
}

TEST_F(PostgresqlRelayTest, MoreRelaysThanConnectionsDoTheWorkAllTheSame) {
  insert(200);
  const std::string role = "relays_of_" + database_;
  execute("CREATE ROLE " + role +
          " LOGIN CONNECTION LIMIT 2; "
          "GRANT SELECT, INSERT, UPDATE, DELETE ON wechatpay_bonus_outbox, wechatpay_bonus_outbox_done, "
          "wechatpay_bonus_outbox_dead, wechatpay_bonus_outbox_pace, wechatpay_bonus_outbox_about TO " +
          role + ";");
  const std::string url = server_.url(database_, role);
  std::vector<std::unique_ptr<Running>> relays;
  for (int i = 0; i < 6; ++i) relays.push_back(start(url));
  ASSERT_TRUE(becomes_empty());
  EXPECT_TRUE(
      std::any_of(relays.begin(), relays.end(), [](const auto& relay) { return relay->said("too many connections"); }));
  expect_done_as_committed(200);
}

/// Asks the relay to stop as soon as the store is open.
class StoreAtTheEnd : public Store {
 public:
  StoreAtTheEnd(std::function<void()> ask, std::atomic<int>& claims) : ask_(std::move(ask)), claims_(claims) {}

  void open(const Owner&) override { ask_(); }
  std::vector<Row> claim(const Claim&) override {
    ++claims_;
    return {};
  }
  bool waits_for_rate() const override { return false; }
  std::vector<Merchant> merchants_due(const Claim&) override { return {}; }
  std::vector<HeldRow> renew(const std::vector<HeldRow>&, std::chrono::milliseconds) override { return {}; }
  Settled settle(const std::vector<Settlement>&) override { return {}; }
  void halt(const std::string&, std::chrono::milliseconds, const std::string&) override {}
  std::string last_resume() override { return ""; }

 private:
  const std::function<void()> ask_;
  std::atomic<int>& claims_;
};

TEST_F(PostgresqlRelayTest, AStopWhileItConnectsClaimsNothing) {
  std::atomic<int> claims{0};
  Relay* asked = nullptr;
  const BonusCommitClient client = this->client();
  Relay relay(
      options_, [&] { return std::make_unique<StoreAtTheEnd>([&asked] { asked->request_stop(); }, claims); }, client,
      [](const std::string&) {});
  asked = &relay;
  EXPECT_EQ(relay.run(), RelayEnd::stopped);
  EXPECT_EQ(claims, 0);
}

/// Its claims last until they are interrupted.
class StoreThatHangs : public Store {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool claiming = false;
    bool interrupted = false;
  };

  explicit StoreThatHangs(State& state) : state_(state) {}

  void open(const Owner&) override {}
  std::vector<Row> claim(const Claim&) override {
    std::unique_lock<std::mutex> lock(state_.mutex);
    state_.claiming = true;
    state_.changed.notify_all();
    state_.changed.wait(lock, [this] { return state_.interrupted; });
    throw DatabaseError("the connection was cut", "", true);
  }
  bool waits_for_rate() const override { return false; }
  std::vector<Merchant> merchants_due(const Claim&) override { return {}; }
  std::vector<HeldRow> renew(const std::vector<HeldRow>&, std::chrono::milliseconds) override { return {}; }
  Settled settle(const std::vector<Settlement>&) override { return {}; }
  void halt(const std::string&, std::chrono::milliseconds, const std::string&) override {}
  std::string last_resume() override { return ""; }
  void interrupt() override {
    const std::lock_guard<std::mutex> lock(state_.mutex);
    state_.interrupted = true;
    state_.changed.notify_all();
  }

 private:
  State& state_;
};

TEST_F(PostgresqlRelayTest, AStatementThatHangsHoldsUpNoStop) {
  StoreThatHangs::State state;
  const auto relay = start_with([&state] { return std::make_unique<StoreThatHangs>(state); });
  std::unique_lock<std::mutex> lock(state.mutex);
  state.changed.wait(lock, [&state] { return state.claiming; });
  lock.unlock();
  EXPECT_TRUE(relay->cut_statement());
  lock.lock();
  EXPECT_FALSE(state.interrupted) << "no stop was requested";
  lock.unlock();
  relay->request_stop();
  EXPECT_TRUE(relay->cut_statement());
  EXPECT_EQ(relay->wait(), RelayEnd::stopped);
  EXPECT_TRUE(relay->said("the connection was cut")) << relay->log();
}

/// Lasts until it is interrupted.
class AdministrationThatHangs : public Administration {
 public:
  explicit AdministrationThatHangs(StoreThatHangs::State& state) : state_(state) {}

  std::string schema() const override { return ""; }
  void install() override {}
  Status status() override {
    StoreThatHangs(state_).claim({});
    return {};
  }
  std::vector<DeadRow> dead(const DeadRows&, std::size_t) override { return {}; }
  std::uint64_t retry(const DeadRows&) override { return 0; }
  std::uint64_t discard(const DeadRows&) override { return 0; }
  std::uint64_t prune(std::chrono::hours) override { return 0; }
  std::uint64_t resume() override { return 0; }
  Health health() override { return {}; }
  void interrupt() override { StoreThatHangs(state_).interrupt(); }

 private:
  StoreThatHangs::State& state_;
};

TEST(Observer, EndsAnObservationThatHangs) {
  StoreThatHangs::State state;
  {
    const Observer observer([&state] { return std::make_unique<AdministrationThatHangs>(state); });
    std::unique_lock<std::mutex> lock(state.mutex);
    state.changed.wait(lock, [&state] { return state.claiming; });
  }
  EXPECT_TRUE(state.interrupted);
}

TEST_F(PostgresqlRelayTest, AStopDuringAnAttemptToConnectIsNoticedAfterIt) {
  std::promise<void> opening;
  std::promise<void> released;
  const auto relay = start_with([&]() -> std::unique_ptr<Store> {
    opening.set_value();
    released.get_future().wait();
    throw DatabaseError("the host does not answer", "", true);
  });
  opening.get_future().wait();
  relay->request_stop();
  EXPECT_FALSE(relay->cut_statement()) << "there is nothing to cut";
  released.set_value();
  EXPECT_EQ(relay->wait(), RelayEnd::stopped);
  EXPECT_TRUE(relay->cut_statement());
}

TEST_F(PostgresqlRelayTest, SaysAFaultOfTheDatabaseOnceAndAnotherOneAtOnce) {
  std::atomic<int> tries{0};
  const auto relay = start_with([&tries]() -> std::unique_ptr<Store> {
    throw DatabaseError(++tries <= 2 ? "the host is not there" : "the password is wrong", "", true);
  });
  ASSERT_TRUE(becomes([&relay] { return relay->said("database: the password is wrong; trying again"); }));
  EXPECT_LE(tries, 6) << "it is said at once";
  EXPECT_EQ(relay->log(),
            "database: the host is not there; trying again\ndatabase: the password is wrong; trying again\n");
}

TEST_F(PostgresqlRelayTest, WithoutRightsOrTablesItEndsAndSaysWhy) {
  const std::string role = "stranger_to_" + database_;
  execute("CREATE ROLE " + role + " LOGIN;");
  const auto relay = start(server_.url(database_, role));
  EXPECT_EQ(relay->wait(), RelayEnd::database_refused);
  EXPECT_TRUE(relay->said("permission denied")) << relay->log();
}

/// Servers with settings that nothing here expects, but that a merchant may have.
DatabaseServer& unusual_postgresql() {
  static PostgresqlServer server({"fsync=off", "shared_buffers=16MB", "datestyle=German", "intervalstyle=sql_standard",
                                  "timezone=Asia/Kathmandu", "standard_conforming_strings=off", "backslash_quote=off",
                                  "bytea_output=escape", "extra_float_digits=-15", "client_min_messages=debug1",
                                  "default_transaction_isolation=serializable"});
  return server;
}
#ifdef WECHATPAY_WITH_MARIADB_SERVER
DatabaseServer& unusual_mariadb() {
  static MariadbServer server(
      {"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
       "--sql-mode=ORACLE", "--sql-safe-updates=1", "--autocommit=0", "--completion-type=CHAIN",
       "--transaction-isolation=SERIALIZABLE", "--default-time-zone=+05:45", "--div-precision-increment=0",
       "--character-set-server=gbk", "--collation-server=gbk_chinese_ci", "--default-storage-engine=MyISAM",
       "--innodb-default-row-format=compact", "--explicit-defaults-for-timestamp=OFF", "--auto-increment-increment=3"});
  return server;
}
#endif

class UnusualServerTest : public RelayTest {};

TEST_P(UnusualServerTest, DoesNotMatter) {
  insert(40);
  execute("UPDATE wechatpay_bonus_outbox SET card_id = '' WHERE out_trade_no = 'order-1';");
  options_.pace.per_second = 200;
  const auto relay = start();
  ASSERT_TRUE(becomes_empty()) << relay->log();
  EXPECT_EQ(relay->stop(), RelayEnd::stopped);
  expect_done_as_committed(39);
  EXPECT_EQ(dead(), 1);
  const auto administration = open_administration(url_);
  EXPECT_EQ(administration->health().missing_rights, std::vector<std::string>());
  EXPECT_EQ(administration->status().done_in_last_hour, 39U);
  EXPECT_EQ(administration->retry({}), 1U);
  EXPECT_EQ(administration->resume(), 0U) << "the new row is due already";
  EXPECT_EQ(administration->prune(std::chrono::hours(0)), 39U);
}

const std::vector<SharedServer>& unusual_servers() {
  static const std::vector<SharedServer> all = {
      {"PostgreSQL", unusual_postgresql},
#ifdef WECHATPAY_WITH_MARIADB_SERVER
      {"MariaDB", unusual_mariadb},
#endif
  };
  return all;
}

INSTANTIATE_TEST_SUITE_P(Databases, RelayTest, ::testing::ValuesIn(servers()), server_name);
INSTANTIATE_TEST_SUITE_P(Databases, UnusualServerTest, ::testing::ValuesIn(unusual_servers()), server_name);

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox

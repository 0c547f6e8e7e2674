// A relay in virtual time. The test provides its clocks, its database and WeChat Pay. Nothing really waits.
#include "src/outbox/relay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "relay_options.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// Times since the start. Used by one thread only.
struct World {
  milliseconds now{0};
  milliseconds slept{0};  ///< the part of `now` during which the machine slept
};

struct StoredRow {
  Row row;
  milliseconds due{0};
  std::string claim;
  bool locked = false;  ///< by a client that changes it; a claim skips it
};

/// The outbox, in memory.
struct Tables {
  std::vector<StoredRow> rows;
  std::uint64_t done = 0;
  std::uint64_t dead = 0;
  int claims = 0;
  int renewals = 0;
  bool refuses_rate = false;
  std::function<void()> during_claim = [] {};
  bool cut_at_last_resume = false;
  bool connection_cut = false;  ///< the next statement finds this out
};

class MemoryStore : public Store {
 public:
  MemoryStore(World& world, Tables& tables) : world_(world), tables_(tables) {}

  void open(const Owner&) override {}

  std::vector<Row> claim(const Claim& claim) override {
    check_connection();
    ++tables_.claims;
    tables_.during_claim();
    std::vector<Row> claimed;
    std::map<Merchant, std::size_t> shares;
    for (const Turn& turn : claim.turns) shares[turn.merchant] = turn.share;
    for (StoredRow& stored : tables_.rows) {
      if (claimed.size() == claim.most) break;
      if (stored.due > world_.now || stored.locked) continue;
      if (!claim.turns.empty() && shares[merchant_of(stored)]-- == 0) {
        shares[merchant_of(stored)] = 0;
        continue;
      }
      stored.due = world_.now + claim.lease;
      stored.claim = claim.token;
      ++stored.row.claims;
      claimed.push_back(stored.row);
      claimed.back().age += std::chrono::duration_cast<seconds>(world_.now);
    }
    return claimed;
  }

  bool waits_for_rate() const override { return tables_.refuses_rate; }

  std::vector<Merchant> merchants_due(const Claim&) override {
    std::set<Merchant> due;
    for (const StoredRow& stored : tables_.rows) {
      if (stored.due <= world_.now) due.insert(merchant_of(stored));
    }
    return {due.begin(), due.end()};
  }

  std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, milliseconds lease) override {
    check_connection();
    ++tables_.renewals;
    std::vector<HeldRow> held;
    for (const HeldRow& row : rows) {
      const auto stored = find(row.id, row.token);
      if (stored == tables_.rows.end()) continue;
      stored->due = world_.now + lease;
      held.push_back(row);
    }
    return held;
  }

  Settled settle(const std::vector<Settlement>& settlements) override {
    check_connection();
    Settled settled;
    for (const Settlement& one : settlements) {
      const auto stored = find(one.id, one.token);
      if (stored == tables_.rows.end()) continue;
      if (one.fate == Fate::done || one.fate == Fate::dead) {
        ++(one.fate == Fate::done ? settled.done : settled.dead);
        tables_.rows.erase(stored);
        continue;
      }
      ++settled.back;
      stored->claim.clear();
      stored->due = world_.now + one.pause;
      ++(one.fate == Fate::wait ? stored->row.attempts : stored->row.claims);
      if (one.fate == Fate::hand_back) stored->row.claims -= 2;
    }
    tables_.done += settled.done;
    tables_.dead += settled.dead;
    return settled;
  }

  void halt(const std::string&, milliseconds, const std::string&) override {}
  std::string last_resume() override {
    if (std::exchange(tables_.cut_at_last_resume, false)) tables_.connection_cut = true;
    check_connection();
    return "";
  }

 private:
  static Merchant merchant_of(const StoredRow& stored) { return {stored.row.order.mchid, stored.row.order.sub_mchid}; }

  void check_connection() {
    if (std::exchange(tables_.connection_cut, false)) throw DatabaseError("the connection was cut", "57P01", true);
  }

  std::vector<StoredRow>::iterator find(std::int64_t id, const std::string& token) {
    return std::find_if(tables_.rows.begin(), tables_.rows.end(),
                        [&](const StoredRow& one) { return one.row.id == id && one.claim == token; });
  }

  World& world_;
  Tables& tables_;
};

/// Answers at once, or has the answers wait.
class LateTransport final : public Transport {
 public:
  explicit LateTransport(std::function<Result<HttpResponse>(const HttpRequest&)> answer) : answer_(std::move(answer)) {}

  void send(HttpRequest request, SendOptions, Completion done) override {
    auto answer = answer_(request);
    if (!late) return done(std::move(answer));
    waiting_.push_back([done = std::move(done), answer = std::move(answer)] { done(answer); });
  }

  void answer_waiting() {
    for (const auto& waiting : std::exchange(waiting_, {})) waiting();
  }

  bool late = false;

 private:
  std::function<Result<HttpResponse>(const HttpRequest&)> answer_;
  std::vector<std::function<void()>> waiting_;
};

class OutboxRelay : public ::testing::Test {
 protected:
  void insert(int count, const StoredRow& like = {}) {
    for (int i = 0; i < count; ++i) {
      StoredRow& stored = tables_.rows.emplace_back(like);
      stored.row.id = ++last_id_;
      stored.row.order.card_id = stored.row.order.code = "478515832665";
      stored.row.order.out_trade_no = "order-" + std::to_string(last_id_);
      stored.row.order.mchid = "1230000109";
      if (stored.row.order.sub_mchid.empty()) stored.row.order.sub_mchid = "1900000109";
      stored.row.order.bonus_value = 30;
    }
  }

  std::chrono::steady_clock::time_point steady_now() const {
    return std::chrono::steady_clock::time_point(hours(1) + world_.now - world_.slept);
  }

  /// Runs a relay until `so` returns true. Calls `each_round` at each moment.
  RelayEnd run_until(const std::function<bool()>& so) {
    ClientOptions client_options;
    client_options.retry.max_tries = 1;
    client_options.steady_clock = [this] { return steady_now(); };
    const auto transport =
        std::make_shared<LateTransport>([this](const HttpRequest& request) { return answer_(request); });
    transport_ = transport.get();
    const auto client = BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport,
                                                  std::move(client_options));
    RelayTime time;
    time.now = [this] { return steady_now(); };
    time.lease_now = [this] { return Lease::Clock::time_point(hours(1) + world_.now); };
    time.wait = [&](ResultQueue&, std::chrono::steady_clock::time_point moment) {
      running_metrics_ = running_->metrics();
      if (so()) running_->request_stop();
      const auto pause = std::chrono::duration_cast<milliseconds>(moment - steady_now()) + milliseconds(1);
      world_.now += std::max(pause, milliseconds(1));
      if (!transport_->late) transport_->answer_waiting();
    };
    Relay relay(
        options_, [this] { return std::make_unique<MemoryStore>(world_, tables_); }, client.value(),
        [this](const std::string& line) { log_ += line + "\n"; }, time);
    running_ = &relay;
    return relay.run();
  }

  /// Runs a relay that has 16 calls under way and 8 rows in its queue when `lose` is called for each of the 8.
  void run_and_lose_claims(const std::function<void(StoredRow&)>& lose) {
    insert(25);  // the first call shows that the database accepts results
    answer_ = [this](const HttpRequest& request) {
      ++calls_[request.body];
      if (calls_.size() == 2) transport_->late = true;
      return wechat_pay_.answer(request);
    };
    milliseconds lost{0};
    const auto each_round = [&] {
      if (lost == milliseconds(0) && calls_.size() == 17) {
        lost = world_.now;
        for (StoredRow& stored : tables_.rows) {
          if (stored.row.id > 17) lose(stored);
        }
      }
      if (lost > milliseconds(0) && world_.now > lost + seconds(2)) transport_->late = false;
      return tables_.rows.empty() || world_.now > hours(3);
    };
    EXPECT_EQ(run_until(each_round), RelayEnd::stopped) << log_;
  }

  void expect_one_call_each() const {
    EXPECT_EQ(tables_.done, 25U) << log_;
    for (const auto& [body, times] : calls_) EXPECT_EQ(times, 1) << body;
  }

  World world_;
  Tables tables_;
  RelayOptions options_ = [] {
    RelayOptions options;
    options.max_in_flight = 16;
    return options;
  }();
  Relay* running_ = nullptr;
  LateTransport* transport_ = nullptr;  ///< of the one that is running
  Metrics running_metrics_;             ///< the last ones while it was running
  std::string log_;
  std::map<std::string, int> calls_;  ///< how many have this body
  FakeWechatPay wechat_pay_;
  std::function<Result<HttpResponse>(const HttpRequest&)> answer_ = [this](const HttpRequest& request) {
    return wechat_pay_.answer(request);
  };

 private:
  std::int64_t last_id_ = 0;
};

TEST_F(OutboxRelay, AnOutageOfSixHoursCostsAProbeAMinuteAndNoOrder) {
  insert(100);
  StoredRow old;
  old.row.age = hours(240);
  old.row.attempts = old.row.claims = 20;
  insert(100, old);
  insert(50);
  std::for_each(tables_.rows.end() - 50, tables_.rows.end(), [](StoredRow& one) { one.due = minutes(30); });
  int calls_during_outage = 0;
  milliseconds first_success{0};
  const auto outage_begins = minutes(20);  // late enough that the relay has seen calls succeed
  const auto outage_ends = outage_begins + hours(6);
  answer_ = [&](const HttpRequest& request) -> Result<HttpResponse> {
    if (world_.now >= outage_begins && world_.now < outage_ends) {
      ++calls_during_outage;
      return HttpResponse{503, {}, ""};
    }
    if (world_.now >= outage_ends && first_success == milliseconds(0)) first_success = world_.now;
    return wechat_pay_.answer(request);
  };
  // Half of the rows are inserted during the outage.
  for (std::size_t i = 0; i < 200; i += 2) tables_.rows[i].due = outage_begins + minutes(static_cast<int>(i));
  EXPECT_EQ(run_until([this] { return tables_.rows.empty() || world_.now > hours(9); }), RelayEnd::stopped) << log_;
  EXPECT_EQ(tables_.done, 250U);
  EXPECT_EQ(tables_.dead, 0U);
  EXPECT_GE(calls_during_outage, 20 + 5 * 60) << "it looks each minute";
  EXPECT_LE(calls_during_outage, 2 * 16 + 20 + 7 * 60) << "one call alone";
  EXPECT_LE(first_success, outage_ends + minutes(2)) << log_;
  EXPECT_LE(world_.now, outage_ends + minutes(75)) << "the longest backoff is 72 minutes";
  EXPECT_TRUE(contains(log_, "20 failures in a row")) << log_;
}

/// The options of a relay that was started with these arguments, separated by blanks.
RelayOptions options_of(const std::string& arguments) {
  CLI::App app;
  tool::RelayArguments given;
  given.add_to(app);
  app.parse(arguments);
  return tool::relay_options(given, "1900000001");
}

TEST_F(OutboxRelay, GivesUpAnOrderThatFailsAloneUnlessItIsToNeverGiveUp) {
  answer_ = [this](const HttpRequest& request) -> Result<HttpResponse> {
    if (contains(request.body, "\"order-1\"")) return HttpResponse{500, {}, ""};
    return wechat_pay_.answer(request);
  };
  StoredRow old;
  old.row.age = hours(72);
  old.row.attempts = old.row.claims = 12;
  insert(1, old);
  StoredRow other;
  for (int minute = 0; minute < 120; ++minute) {  // so that others succeed all the time
    other.due = minutes(minute);
    insert(1, other);
  }
  const auto all_others_done = [this] { return tables_.done == 120 && world_.now > hours(4); };
  options_ = options_of("--never-give-up");
  EXPECT_EQ(run_until(all_others_done), RelayEnd::stopped) << log_;
  ASSERT_EQ(tables_.rows.size(), 1U);
  EXPECT_GT(tables_.rows[0].row.attempts, 13);
  EXPECT_EQ(tables_.dead, 0U);

  options_ = options_of("");
  for (int minute = 0; minute < 120; ++minute) {
    other.due = world_.now + minutes(minute);
    insert(1, other);
  }
  EXPECT_EQ(run_until([this] { return tables_.done == 240 && world_.now > hours(8); }), RelayEnd::stopped) << log_;
  EXPECT_EQ(tables_.dead, 1U);
  EXPECT_TRUE(tables_.rows.empty());
}

TEST(RelayArguments, BecomeOptionsOfTheRelay) {
  const RelayOptions made = options_of(
      "--max-in-flight 7 --rate 2.5 --lease 30 --fair --delay 5 --merchant-mode partner "
      "--origin https://b.example,https://a.example");
  EXPECT_EQ(made.owner.merchant, "1900000001");
  EXPECT_EQ(made.owner.host, "https://a.example,https://b.example");
  EXPECT_EQ(made.max_in_flight, 7U);
  EXPECT_EQ(made.pace.per_second, 2.5);
  EXPECT_EQ(made.lease, seconds(30));
  EXPECT_TRUE(made.fair);
  EXPECT_EQ(made.delay, seconds(5));
  EXPECT_EQ(made.mode, MerchantMode::partner);
  EXPECT_TRUE(made.giving_up.ever);

  const RelayOptions usual = options_of("");
  EXPECT_EQ(usual.max_in_flight, 64U);
  EXPECT_EQ(usual.pace.per_second, 0);
  EXPECT_EQ(usual.lease, seconds(90));
  EXPECT_FALSE(usual.fair);
  EXPECT_EQ(usual.delay, seconds(0));
  EXPECT_FALSE(usual.mode);
}

TEST_F(OutboxRelay, AMachineThatSleptCallsNoRowBeforeItKnowsThatItIsItsOwn) {
  insert(1);
  ASSERT_EQ(run_until([this] { return tables_.rows.empty(); }), RelayEnd::stopped) << log_;
  insert(20);
  int calls = 0;
  int calls_without_lease = 0;
  int renewals = -1;
  answer_ = [&](const HttpRequest& request) -> Result<HttpResponse> {
    ++calls;
    if (renewals == tables_.renewals) ++calls_without_lease;
    if (calls == 5) {  // by now it holds more rows
      world_.now += hours(1);
      world_.slept += hours(1);
      renewals = tables_.renewals;
    }
    return wechat_pay_.answer(request);
  };
  EXPECT_EQ(run_until([this] { return tables_.rows.empty() || world_.now > hours(3); }), RelayEnd::stopped) << log_;
  EXPECT_EQ(tables_.done, 21U) << log_;
  EXPECT_EQ(calls_without_lease, 0) << "its leases ended while it slept";
  EXPECT_GT(tables_.renewals, renewals);
}

TEST_F(OutboxRelay, AfterAFailoverThatLostClaimsNoRowOfAnotherWorkerIsCalled) {
  run_and_lose_claims([this](StoredRow& stored) {
    stored.claim = "another worker's";
    stored.due = world_.now + seconds(90);
    tables_.connection_cut = true;
  });
  expect_one_call_each();
}

TEST_F(OutboxRelay, ARowThatIsClaimedAgainWhileItIsQueuedIsCalledOnce) {
  run_and_lose_claims([this](StoredRow& stored) { stored.due = world_.now; });  // as if the database's clock was set
  expect_one_call_each();
}

TEST_F(OutboxRelay, KeepsTheRowsOfAClaimIfTheConnectionIsCutNextToIt) {
  StoredRow of_another;
  of_another.row.order.sub_mchid = "1900000101";
  insert(1, of_another);  // it is held after its first call, and then each claim looks whether an operator has resumed
  insert(40);
  answer_ = [this](const HttpRequest& request) {
    if (!contains(request.body, "1900000101")) return wechat_pay_.answer(request);
    tables_.cut_at_last_resume = true;
    return wechat_pay_.sign({403, {}, R"({"code":"NO_AUTH","message":"not yours"})"}, request);
  };
  EXPECT_EQ(run_until([this] { return tables_.done == 40 || world_.now > hours(1); }), RelayEnd::stopped) << log_;
  EXPECT_TRUE(contains(log_, "the connection was cut")) << log_;
  EXPECT_LT(world_.now, options_.lease) << "a forgotten row is called only after its lease";
}

TEST_F(OutboxRelay, AMerchantWhoseRowsAreLockedHoldsUpNoOther) {
  options_.fair = true;
  options_.pace.per_second = 1;  // one row for each claim
  StoredRow locked;
  locked.locked = true;
  for (const char* const merchant : {"1900000101", "1900000102"}) {
    locked.row.order.sub_mchid = merchant;
    insert(3, locked);
  }
  insert(20);
  EXPECT_EQ(run_until([this] { return tables_.rows.size() == 6 || world_.now > hours(1); }), RelayEnd::stopped) << log_;
  EXPECT_EQ(tables_.done, 20U);
  EXPECT_LT(world_.now, minutes(4));
}

TEST_F(OutboxRelay, WaitsForTheRateOnlyWhereTheRateGivesNoRoom) {
  options_.pace.per_second = 1;
  options_.delay = seconds(5);
  StoredRow locked;
  locked.locked = true;
  insert(3, locked);
  run_until([this] { return world_.now > minutes(5); });
  EXPECT_EQ(running_metrics_.waited_for_rate_at, Metrics::Clock::time_point{});
  EXPECT_EQ(running_metrics_.delay, options_.delay);
  tables_.refuses_rate = true;
  const auto begin = steady_now();
  run_until([this] { return world_.now > minutes(10); });
  EXPECT_GT(running_metrics_.waited_for_rate_at, begin);
}

TEST_F(OutboxRelay, MoreMerchantsThanRowsOfAClaimAllHaveTheirTurn) {
  options_.fair = true;
  options_.max_in_flight = 2;
  StoredRow row;
  for (int merchant = 0; merchant < 40; ++merchant) {
    row.row.order.sub_mchid = std::to_string(1900000200 + merchant);
    insert(merchant == 0 ? 400 : 2, row);
  }
  EXPECT_EQ(run_until([this] { return tables_.rows.empty() || world_.now > hours(1); }), RelayEnd::stopped) << log_;
  EXPECT_EQ(tables_.done, 478U);
}

TEST_F(OutboxRelay, StartsNoCallOfAClaimDuringWhichItIsStopped) {
  insert(1);
  ASSERT_EQ(run_until([this] { return tables_.rows.empty(); }), RelayEnd::stopped) << log_;
  insert(20);
  int calls = 0;
  answer_ = [&](const HttpRequest& request) {
    ++calls;
    return wechat_pay_.answer(request);
  };
  tables_.during_claim = [this] { running_->request_stop(); };
  EXPECT_EQ(run_until([] { return false; }), RelayEnd::stopped) << log_;
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(tables_.rows.size(), 20U);
}

}  // namespace

}  // namespace wechatpay::bonus_commit::outbox

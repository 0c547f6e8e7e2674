// A process is killed at each point of a row's life and of an operator's commands. Another process continues its work.
#include <atomic>
#include <csignal>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/database/outbox_fixture.hpp"
#include "tests/database/tool_process.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

constexpr int orders = 6;

class Kill : public ::testing::TestWithParam<SharedServer>, protected OutboxParts {
 protected:
  Kill() : OutboxParts(GetParam().get()) {}

  bool on_postgresql() const { return server_.name() == "PostgreSQL"; }

  std::string log() const { return folder_.path("log"); }

  /// A relay that is killed at that point. If empty, it is not killed.
  std::unique_ptr<ToolProcess> relay(const std::string& point) const {
    const SandboxFiles& files = sandbox_->files();
    const std::vector<std::string> words = {point,
                                            url_,
                                            sandbox_->origin(),
                                            files.ca,
                                            files.merchant_certificate,
                                            files.merchant_key,
                                            files.public_key,
                                            sandbox_->wechat_pay().public_key_id()};
    return std::make_unique<ToolProcess>(words, log(), WECHATPAY_DYING_RELAY);
  }

  /// An operator's command that is killed at that point.
  int command_until(const std::string& command, const std::string& point) const {
    return ToolProcess({point, url_, command}, log(), WECHATPAY_DYING_RELAY).wait();
  }

  void drop_tables() const {
    execute(
        "DROP TABLE wechatpay_bonus_outbox, wechatpay_bonus_outbox_done, wechatpay_bonus_outbox_dead, "
        "wechatpay_bonus_outbox_pace, wechatpay_bonus_outbox_about;");
  }

  void drop_index() const {
    execute(on_postgresql() ? "DROP INDEX wechatpay_bonus_outbox_fair;"
                            : "DROP INDEX wechatpay_bonus_outbox_fair ON wechatpay_bonus_outbox;");
  }

  /// Installs again. All tables and indexes are there then.
  void expect_installation_completes() const {
    open_administration(url_)->install();
    EXPECT_EQ(open_administration(url_)->status().version, schema_version);
    insert(1);
    EXPECT_EQ(store()->claim(claim_of(1)).size(), 1U);
    EXPECT_NO_THROW(drop_index());
    open_administration(url_)->install();
  }

  std::size_t calls() const {
    const auto committed = sandbox_->wechat_pay().committed();
    return std::accumulate(committed.begin(), committed.end(), std::size_t{0},
                           [](std::size_t sum, const CommittedOrder& one) { return sum + one.times; });
  }

  /// Ends the leases of the dead relay, and lets another relay do the rest. `repeated`: the number of repeated calls.
  void expect_another_goes_on(const std::string& point, std::size_t repeated) {
    execute("UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE claim IS NOT NULL;");
    const auto other = relay("");
    EXPECT_TRUE(becomes([this] { return unsettled() == 0; })) << point << read_text(log());
    EXPECT_EQ(done(), orders) << point;
    EXPECT_EQ(dead(), 0) << point;
    EXPECT_EQ(sandbox_->wechat_pay().committed().size(), static_cast<std::size_t>(orders)) << point;
    EXPECT_EQ(calls(), orders + repeated) << point;
  }

  void start_again() {
    execute("DELETE FROM wechatpay_bonus_outbox; DELETE FROM wechatpay_bonus_outbox_done;");
    sandbox_ = Sandbox::start().value();
    insert(orders);
  }

  const TemporaryFolder folder_;
  std::atomic<bool> arrived_{false};
  std::atomic<bool> killed_{false};
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_P(Kill, OfARelayAtEachPointOfARowsLifeLosesNothingAndRepeatsTheCallThatWasUnderWay) {
  struct Point {
    std::string name;
    std::size_t repeated;
  };
  std::vector<Point> points = {
      {"after claim", 0}, {"before send", 0}, {"after the answer", 1}, {"before settle", 1}, {"after settle", 0}};
  if (!on_postgresql()) {
    points.push_back({"before statement: UPDATE wechatpay_bonus_outbox SET due_at", 0});
    points.push_back({"after statement: UPDATE wechatpay_bonus_outbox SET due_at", 0});
    points.push_back({"after statement: REPLACE INTO wechatpay_bonus_outbox_done", 1});
    points.push_back({"after statement: DELETE FROM wechatpay_bonus_outbox", 1});
    points.push_back({"before statement: COMMIT", 1});
    points.push_back({"after statement: COMMIT", 0});
  }
  for (const Point& point : points) {
    start_again();
    EXPECT_EQ(relay(point.name)->wait(), -SIGKILL) << point.name << read_text(log());
    expect_another_goes_on(point.name, point.repeated);
  }
}

TEST_P(Kill, OfARelayWhileACallIsUnderWayAndInItsRenewalRepeatsThatCall) {
  for (const std::string point : {"after send", "before renew", "after renew"}) {
    start_again();
    arrived_ = killed_ = false;
    sandbox_->answer_with([this](const HttpRequest& request) {
      arrived_ = true;
      becomes([this] { return killed_.load(); });
      return sandbox_->wechat_pay().answer(request);
    });
    const auto dying = relay(point);
    EXPECT_TRUE(becomes([this] { return arrived_.load(); })) << read_text(log());
    dying->signal(point == "after send" ? SIGKILL : SIGUSR1);
    EXPECT_EQ(dying->wait(), -SIGKILL) << point << read_text(log());
    killed_ = true;
    EXPECT_TRUE(becomes([this] { return calls() == 1; })) << "committed, and the answer was not received";
    expect_another_goes_on(point, 1);
  }
}

TEST_P(Kill, OfARelayWhoseSettlementWaitsInTheServerRepeatsThatCall) {
  if (!on_postgresql()) return;  // on other databases, a settlement has several statements
  start_again();
  const auto other = connect(url_);
  other->execute("BEGIN; LOCK TABLE wechatpay_bonus_outbox_done IN EXCLUSIVE MODE;");
  const auto dying = relay("");
  EXPECT_TRUE(becomes([this] {
    return number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
               "'Lock' AND query LIKE '%wechatpay_bonus_outbox_done AS d%'") > 0;
  })) << read_text(log());
  EXPECT_EQ(dying->end(SIGKILL), -SIGKILL);
  other->execute("COMMIT;");
  expect_another_goes_on("in settle", 1);
}

TEST_P(Kill, OfAnOperatorsPruneLeavesWhatTheNextOneFinishes) {
  execute(
      "INSERT INTO wechatpay_bonus_outbox_done (id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, "
      "attempts, created_at, done_at, request_id) VALUES (0, '1', '2', '3', '4', '', 5, 1, now(), now() - interval "
      "'3' hour, '');");
  for (int i = 0; i < 13; ++i) {
    execute(
        "INSERT INTO wechatpay_bonus_outbox_done (id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, "
        "attempts, created_at, done_at, request_id) SELECT id + " +
        std::to_string(1 << i) +
        ", card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, created_at, done_at, request_id FROM "
        "wechatpay_bonus_outbox_done;");
  }
  const std::string prunes = "statement: DELETE FROM wechatpay_bonus_outbox_done";
  EXPECT_EQ(command_until("prune", "before " + prunes), -SIGKILL);
  EXPECT_EQ(done(), 8192);
  EXPECT_EQ(command_until("prune", "after " + prunes), -SIGKILL) << read_text(log());
  EXPECT_EQ(done(), 3192) << "what was deleted stays deleted";
  EXPECT_EQ(open_administration(url_)->prune(std::chrono::hours(1)), 3192U);
}

TEST_P(Kill, OfAnOperatorsInstallationLeavesWhatTheNextOneFinishes) {
  const std::string creates =
      on_postgresql() ? "statement: BEGIN; SELECT pg_advisory_xact_lock" : "statement: SET SESSION lock_wait_timeout";
  for (const std::string when : {"before ", "after "}) {
    drop_tables();
    EXPECT_EQ(command_until("install", when + creates), -SIGKILL) << when << read_text(log());
    expect_installation_completes();
  }
}

TEST_P(Kill, OfAnOperatorsUpgradeLeavesWhatTheNextOneFinishes) {
  const std::string creates =
      on_postgresql() ? "statement: BEGIN; SELECT pg_advisory_xact_lock" : "statement: ALTER TABLE";
  for (const std::string when : {"before ", "after "}) {
    drop_index();  // as in tables that are older than it
    EXPECT_EQ(command_until("install", when + creates), -SIGKILL) << when << read_text(log());
    expect_installation_completes();
  }
}

TEST_P(Kill, OfAnInstallationOrItsServerInTheMiddleOfItLeavesWhatTheNextOneFinishes) {
  if (!on_postgresql()) return;  // on other databases, an installation has several transactions: see the next test
  for (const bool server_too : {false, true}) {
    drop_tables();
    const auto other = connect(url_);
    other->execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('wechatpay_bonus_outbox'));");
    ToolProcess dying({"", url_, "install"}, log(), WECHATPAY_DYING_RELAY);
    EXPECT_TRUE(becomes([this] {
      return number(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = "
                 "'advisory'") > 0;
    })) << read_text(log());
    EXPECT_EQ(dying.end(SIGKILL), -SIGKILL);
    if (server_too) {
      server_.crash();
      server_.start();
    } else {
      other->execute("COMMIT;");
    }
    expect_installation_completes();
  }
}

TEST_P(Kill, OfAServerInAnInstallationLeavesWhatTheNextOneFinishes) {
  if (on_postgresql()) return;  // on PostgreSQL, an installation is one transaction: see the previous test
  const std::string schema = schema_for(url_);
  for (std::size_t end = 0; (end = schema.find(";\n", end)) != std::string::npos; ++end) {
    drop_tables();
    execute(schema.substr(0, end + 1));
    expect_installation_completes();
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, Kill, ::testing::ValuesIn(servers()), server_name);

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox

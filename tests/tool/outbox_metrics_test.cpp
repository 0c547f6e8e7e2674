// The metrics that Prometheus reads from a relay, and when a relay is unhealthy.
#include "src/outbox/metrics.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

using Clock = Metrics::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point start{seconds(100000)};

Observation observed(Clock::time_point time, std::uint64_t due, std::int64_t oldest_due_seconds) {
  Observation observation;
  observation.time = time;
  observation.status.due = due;
  observation.status.oldest_due_seconds = oldest_due_seconds;
  return observation;
}

TEST(OutboxMetrics, AreTextThatPrometheusReads) {
  Metrics metrics;
  metrics.claims = 12;
  metrics.settled = {7, 1, 2};
  metrics.leases_lost = 3;
  metrics.database_errors = {{"", 1}, {"08006", 4}};
  metrics.credit_delays.add(milliseconds(1500));
  metrics.credit_delays.add(seconds(40));
  metrics.in_flight = 5;
  metrics.breaker_closed = true;
  metrics.rate_limited = true;
  metrics.merchants_without_permission = 2;
  metrics.merchants_doubted = 3;
  metrics.observed = observed(start, 9, 61);
  metrics.observed->status.waiting = 8;
  metrics.observed->status.claimed = 5;
  metrics.observed->status.oldest_unsettled_seconds = 70;
  metrics.observed->status.dead = {{"refused", 6}};
  metrics.observed->health.clock_offset_seconds = -2;
  metrics.observed->health.oldest_transaction_seconds = 4;
  std::string samples;
  std::istringstream text(to_text(metrics, start + seconds(60)));
  for (std::string line; std::getline(text, line);) {
    if (line.front() != '#') samples += line.substr(std::string("wechatpay_bonus_outbox_").size()) + "\n";
  }
  EXPECT_EQ(samples, R"(claims_total 12
settled_total{result="done"} 7
settled_total{result="dead"} 1
settled_total{result="back"} 2
leases_lost_total 3
database_errors_total{state="08006"} 4
database_errors_total{state="none"} 1
credit_delay_seconds_bucket{le="1"} 0
credit_delay_seconds_bucket{le="2"} 1
credit_delay_seconds_bucket{le="5"} 1
credit_delay_seconds_bucket{le="10"} 1
credit_delay_seconds_bucket{le="30"} 1
credit_delay_seconds_bucket{le="60"} 2
credit_delay_seconds_bucket{le="300"} 2
credit_delay_seconds_bucket{le="1800"} 2
credit_delay_seconds_bucket{le="7200"} 2
credit_delay_seconds_bucket{le="86400"} 2
credit_delay_seconds_bucket{le="+Inf"} 2
credit_delay_seconds_sum 41.500000
credit_delay_seconds_count 2
in_flight 5
breaker_open 0
halted{cause="rate_limit"} 1
halted{cause="permission"} 2
halted{cause="merchant_id"} 3
halted{cause="database"} 0
rows{state="due"} 9
rows{state="waiting"} 8
rows{state="claimed"} 5
dead_rows{kind="refused"} 6
oldest_due_seconds 61
oldest_unsettled_seconds 70
clock_offset_seconds -2
oldest_transaction_seconds 4
)");
}

TEST(OutboxMetrics, LeaveOutWhatWasObservedOverAMinuteAgo) {
  Metrics metrics;
  EXPECT_FALSE(contains(to_text(metrics, start), "oldest_due_seconds"));
  metrics.observed = observed(start, 9, 61);
  EXPECT_TRUE(contains(to_text(metrics, start + seconds(60)), "\nwechatpay_bonus_outbox_oldest_due_seconds 61\n"));
  EXPECT_FALSE(contains(to_text(metrics, start + seconds(61)), "oldest_due_seconds"));
}

TEST(OutboxMetrics, LeaveOutTheOldestTransactionIfItCannotBeSeen) {
  Metrics metrics;
  metrics.observed = observed(start, 9, 61);
  EXPECT_FALSE(contains(to_text(metrics, start), "oldest_transaction_seconds"));
  metrics.observed->health.oldest_transaction_seconds = 0;
  EXPECT_TRUE(contains(to_text(metrics, start), "\nwechatpay_bonus_outbox_oldest_transaction_seconds 0\n"));
}

TEST(OutboxMetrics, ShowAHaltThatAnotherRelayBegan) {
  Metrics metrics;
  metrics.observed = observed(start, 0, 0);
  EXPECT_TRUE(contains(to_text(metrics, start), "halted{cause=\"rate_limit\"} 0\n"));
  metrics.observed->status.halted_seconds = 3;
  EXPECT_TRUE(contains(to_text(metrics, start), "halted{cause=\"rate_limit\"} 1\n"));
}

TEST(OutboxMetrics, HaveNoLabelThatBreaksTheirText) {
  Metrics metrics;
  metrics.database_errors = {{"a\"}\n", 1}, {"a__\\", 2}, {std::string(100, 'x'), 4}};
  const std::string text = to_text(metrics, start);
  EXPECT_TRUE(contains(text, "{state=\"a___\"} 3\n")) << text;
  EXPECT_TRUE(contains(text, "{state=\"" + std::string(16, 'x') + "\"} 4\n")) << text;
}

TEST(OutboxMetrics, CountADelayInTheRangeThatItEnds) {
  CreditDelays delays;
  for (const int delay : {-5, 0, 1, 2, 86400, 86401}) delays.add(seconds(delay));
  EXPECT_EQ(delays.counts.at(0), 3U);
  EXPECT_EQ(delays.counts.at(1), 1U);
  EXPECT_EQ(delays.counts.at(9), 1U);
  EXPECT_EQ(delays.counts.at(10), 1U);
  EXPECT_EQ(delays.seconds, 172804.0);
}

TEST(OutboxHealth, IsProgressOrNothingToDo) {
  struct Case {
    const char* what;
    int now;  ///< seconds after the start, like the next three; -1: not
    int moved;
    int observed;
    int failing;
    std::int64_t oldest_due;
    const char* fault;
  };
  const std::vector<Case> cases = {
      {"just started", 0, 0, -1, -1, 0, ""},
      {"not observed yet", 120, 0, -1, -1, 0, ""},
      {"never observed", 121, 121, -1, -1, 0, "the outbox could not be looked at for 121 s"},
      {"observed no more", 1000, 1000, 800, -1, 0, "the outbox could not be looked at for 200 s"},
      {"nothing is due", 1000, 0, 1000, -1, 0, ""},
      {"rows are due since a moment ago", 1000, 0, 1000, -1, 120, ""},
      {"rows are due, and some move", 1000, 880, 1000, -1, 5000, ""},
      {"rows are due, and none moves", 1000, 879, 1000, -1, 121,
       "4 rows are due, the oldest for 121 s, and for 121 s none was claimed or settled"},
      {"the database fails since a moment ago", 1000, 1000, 1000, 880, 0, ""},
      {"the database fails", 1000, 1000, 1000, 879, 0, "the database has failed for 121 s"},
  };
  for (const Case& one : cases) {
    Metrics metrics;
    metrics.breaker_closed = true;
    metrics.moved_at = start + seconds(one.moved);
    if (one.observed >= 0) metrics.observed = observed(start + seconds(one.observed), 4, one.oldest_due);
    if (one.failing >= 0) metrics.database_failing_since = start + seconds(one.failing);
    EXPECT_EQ(health_fault(metrics, start, start + seconds(one.now), seconds(120)), one.fault) << one.what;
  }
}

TEST(OutboxHealth, IsAskingWhereOtherRelaysClaimAllThatTheSharedRateAllows) {
  struct Case {
    const char* what;
    bool has_rate;
    bool calls_fail;
    int asked;                         ///< seconds after the start
    std::optional<std::int64_t> used;  ///< seconds before that
    bool healthy;
  };
  const std::vector<Case> cases = {
      {"the rate is used up for the next half hour", true, false, 1000, -2000, true},
      {"rows were claimed at the rate a moment ago", true, false, 1000, 120, true},
      {"it asked a moment ago", true, false, 880, -2000, true},
      {"it asks no more", true, false, 879, -2000, false},
      {"no relay claims, although the rate allows it", true, false, 1000, 121, false},
      {"no relay was ever there", true, false, 1000, std::nullopt, false},
      {"its calls fail", true, true, 1000, -2000, false},
      {"it has no rate", false, false, 1000, -2000, false},
  };
  for (const Case& one : cases) {
    Metrics metrics;
    metrics.moved_at = start;
    metrics.has_rate = one.has_rate;
    metrics.calls_fail = one.calls_fail;
    metrics.waited_for_rate_at = start + seconds(one.asked);
    metrics.observed = observed(start + seconds(1000), 4, 5000);
    metrics.observed->status.rate_used_seconds = one.used;
    EXPECT_EQ(health_fault(metrics, start, start + seconds(1000), seconds(120)).empty(), one.healthy) << one.what;
  }
}

TEST(OutboxHealth, CountsTheAgeOfDueRowsAloneFromTheEndOfTheDelay) {
  Metrics metrics;
  metrics.delay = seconds(300);
  metrics.moved_at = start;
  const auto fault = [&metrics](int now) { return health_fault(metrics, start, start + seconds(now), seconds(120)); };
  EXPECT_TRUE(contains(fault(121), "could not be looked at"));
  metrics.observed = observed(start + seconds(121), 4, 420);
  EXPECT_EQ(fault(121), "");
  metrics.observed->status.oldest_due_seconds = 421;
  EXPECT_TRUE(contains(fault(121), "none was claimed or settled"));
  metrics.database_failing_since = start;
  EXPECT_TRUE(contains(fault(121), "the database has failed"));
}

TEST(OutboxHealth, SaysThatCallsFail) {
  Metrics metrics;
  metrics.moved_at = start;
  metrics.observed = observed(start + seconds(600), 1, 600);
  EXPECT_TRUE(contains(health_fault(metrics, start, start + seconds(600), seconds(120)),
                       "none was claimed or settled: calls fail, one at a time is tried"));
}

}  // namespace

}  // namespace wechatpay::bonus_commit::outbox

#include "progress.hpp"

#include <gtest/gtest.h>

namespace wechatpay::bonus_commit::tool {

namespace {

using Clock = std::chrono::steady_clock;

Totals totals(int second, std::uint64_t done) {
  return {Clock::time_point(std::chrono::seconds(1000 + second)), done, 3, 0, done * 50, 50 * 10000};
}

TEST(Progress, ShowsShareRateAndTimeLeft) {
  Progress progress;
  progress.line(totals(0, 0), 0);
  EXPECT_EQ(progress.line(totals(2, 2000), 0), "20 %  2,000 done, 3 failed  1,000/s  0:08 left");
}

TEST(Progress, TakesTheRateOfTheLastTenSeconds) {
  Progress progress;
  for (int second = 0; second <= 20; ++second) {
    progress.line(totals(second, static_cast<std::uint64_t>(second < 10 ? 0 : second - 10) * 100), 0);
  }
  EXPECT_EQ(progress.line(totals(21, 1100), 0), "11 %  1,100 done, 3 failed  100/s  1:29 left");
}

TEST(Progress, CountsWhatWasDoneExactlyTenSecondsAgo) {
  Progress progress;
  progress.line(totals(0, 0), 0);
  progress.line(totals(5, 1000), 0);
  EXPECT_EQ(progress.line(totals(10, 1000), 0), "10 %  1,000 done, 3 failed  100/s  1:30 left");
}

TEST(Progress, DrawsABarWhereThereIsRoom) {
  Progress progress;
  progress.line(totals(0, 0), 0);
  const std::string line = progress.line(totals(1, 5000), 80);
  EXPECT_EQ(line, "[###############...............] 50 %  5,000 done, 3 failed  5,000/s  0:01 left");
  EXPECT_LT(line.size(), 80U);
  EXPECT_EQ(Progress().line(totals(0, 1), 20), "0 %  1 done, 3 fail");  // never wraps to the next line
}

TEST(Progress, ShowsNoShareOfWhatHasNoKnownEnd) {
  Totals from_standard_input = totals(0, 12);
  from_standard_input.bytes_in_all = 0;
  from_standard_input.skipped = 5;
  EXPECT_EQ(Progress().line(from_standard_input, 80), "12 done, 3 failed, 5 skipped  0/s");
}

TEST(Progress, DrawsABarOf10To40CharactersOrNone) {
  const auto line = [](int width) {
    Progress progress;
    progress.line(totals(0, 0), 0);
    return progress.line(totals(1, 5000), width);
  };
  const std::string text = "50 %  5,000 done, 3 failed  5,000/s  0:01 left";  // 46 characters
  EXPECT_EQ(line(59), text);
  EXPECT_EQ(line(60), "[#####.....] " + text);
  EXPECT_EQ(line(90), "[" + std::string(20, '#') + std::string(20, '.') + "] " + text);
  EXPECT_EQ(line(200), line(90));
}

TEST(RelayProgress, ShowsWhatIsCreditedAndTheRateOfTheLastTenSeconds) {
  RelayProgress progress;
  outbox::Metrics metrics;
  metrics.breaker_closed = true;
  const Clock::time_point start{std::chrono::seconds(1000)};
  EXPECT_EQ(progress.line(metrics, start, 80), "0 credited  0/s  0 in progress");
  metrics.settled.done = 1000;
  metrics.settled.dead = 3;
  metrics.in_flight = 16;
  EXPECT_EQ(progress.line(metrics, start + std::chrono::seconds(2), 80),
            "1,000 credited, 3 dead  500/s  16 in progress");
  EXPECT_EQ(progress.line(metrics, start + std::chrono::seconds(10), 80),
            "1,000 credited, 3 dead  100/s  16 in progress");
  EXPECT_EQ(progress.line(metrics, start + std::chrono::seconds(13), 80),
            "1,000 credited, 3 dead  0/s  16 in progress");
  EXPECT_EQ(progress.line(metrics, start + std::chrono::seconds(13), 15), "1,000 credited");
}

TEST(RelayProgress, SaysWhatHoldsTheRelayBack) {
  outbox::Metrics metrics;
  const auto line = [&metrics] { return RelayProgress().line(metrics, Clock::time_point(), 80); };
  EXPECT_EQ(line(), "0 credited  0/s  0 in progress  one call at a time until one succeeds");
  metrics.rate_limited = true;
  EXPECT_EQ(line(), "0 credited  0/s  0 in progress  halted after a 429");
  metrics.database_failing_since = Clock::time_point();
  EXPECT_EQ(line(), "0 credited  0/s  0 in progress  database errors");
}

TEST(Numbers, AreWrittenForPeople) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(as_time(5), "0:05");
  EXPECT_EQ(as_time(10), "0:10");
  EXPECT_EQ(as_time(59), "0:59");
  EXPECT_EQ(as_time(60), "1:00");
  EXPECT_EQ(as_time(3599), "59:59");
  EXPECT_EQ(as_time(3600), "1:00:00");
  EXPECT_EQ(counted(1, "row", "rows"), "1 row");
  EXPECT_EQ(counted(2000, "row", "rows"), "2,000 rows");
  EXPECT_EQ(as_time(83), "1:23");
  EXPECT_EQ(as_time(7384), "2:03:04");
}

}  // namespace

}  // namespace wechatpay::bonus_commit::tool

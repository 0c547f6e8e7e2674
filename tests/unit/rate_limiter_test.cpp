// The moments that a RateLimiter returns, with a clock that the tests advance, and how a client uses them.
#include "wechatpay/bonus_commit/stages/rate_limiter.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

const Clock::time_point beginning = Clock::time_point(seconds(1000000));

/// The pause in milliseconds for a request at `now` that may wait for an hour. -1 if there is no room.
std::int64_t pause_at(RateLimiter& limiter, Clock::time_point now, double random = 0) {
  const auto moment = limiter.reserve(now, now, now + std::chrono::hours(1), random);
  return moment ? std::chrono::duration_cast<milliseconds>(*moment - now).count() : -1;
}

TEST(RateLimit, LetsEverythingGoWhereThereIsNone) {
  RateLimiter limiter(RateLimit{});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(pause_at(limiter, beginning), 0);
}

TEST(RateLimit, SpacesRequestsEvenly) {
  RateLimiter limiter(RateLimit{10, 1});
  for (const std::int64_t pause : {0, 100, 200, 300}) EXPECT_EQ(pause_at(limiter, beginning), pause);
  EXPECT_EQ(pause_at(limiter, beginning + milliseconds(250)), 150);
  EXPECT_EQ(pause_at(limiter, beginning + seconds(10)), 0);
  EXPECT_EQ(pause_at(limiter, beginning + seconds(10)), 100);
}

TEST(RateLimit, LetsABurstGoAtOnceAndAgainAfterARest) {
  RateLimiter limiter(RateLimit{10, 3});
  for (const std::int64_t pause : {0, 0, 0, 100, 200}) EXPECT_EQ(pause_at(limiter, beginning), pause);
  // After 300 ms, 200 ms of the five requests' 500 ms remain, so one more may go. After a rest, the whole burst may go.
  EXPECT_EQ(pause_at(limiter, beginning + milliseconds(300)), 0);
  for (const std::int64_t pause : {0, 0, 0, 100}) EXPECT_EQ(pause_at(limiter, beginning + seconds(5)), pause);
}

TEST(RateLimit, TakesNoPlaceBeyondTheDeadline) {
  RateLimiter limiter(RateLimit{10, 1});
  EXPECT_EQ(pause_at(limiter, beginning), 0);
  EXPECT_EQ(limiter.reserve(beginning, beginning, beginning + milliseconds(99), 0), std::nullopt);
  EXPECT_EQ(limiter.reserve(beginning, beginning, beginning + milliseconds(100), 0), beginning + milliseconds(100));
  EXPECT_EQ(pause_at(limiter, beginning), 200);
}

TEST(RateLimit, CountsTheTimeBeforeARequestIsReadyForIt) {
  RateLimiter limiter(RateLimit{10, 1});
  EXPECT_EQ(pause_at(limiter, beginning), 0);
  EXPECT_EQ(limiter.reserve(beginning, beginning + milliseconds(500), beginning + seconds(1), 0),
            beginning + milliseconds(500));
  EXPECT_EQ(pause_at(limiter, beginning), 200);
}

TEST(RateLimit, HaltsAndThenGoesOnSpread) {
  RateLimiter limiter(RateLimit{});
  limiter.pause(beginning + seconds(2));
  EXPECT_EQ(pause_at(limiter, beginning, 0), 2000);
  EXPECT_EQ(pause_at(limiter, beginning, 0.5), 2500);
  EXPECT_EQ(pause_at(limiter, beginning, 1), 3000);
  EXPECT_EQ(pause_at(limiter, beginning + milliseconds(1900), 1), 200);
  EXPECT_EQ(pause_at(limiter, beginning + seconds(2), 1), 0);
  limiter.pause(beginning + seconds(1));
  EXPECT_EQ(pause_at(limiter, beginning, 0), 2000) << "a shorter pause does not shorten a longer one";
}

TEST(RateLimit, IsPausedUntilTheMomentOfItsEnd) {
  RateLimiter limiter(RateLimit{});
  limiter.pause(beginning + seconds(2));
  EXPECT_TRUE(limiter.paused(beginning + seconds(2) - std::chrono::nanoseconds(1)));
  EXPECT_FALSE(limiter.paused(beginning + seconds(2)));
}

TEST(RateLimit, KeepsItsRateAfterAHalt) {
  RateLimiter limiter(RateLimit{10, 1});
  limiter.pause(beginning + seconds(1));
  for (const std::int64_t pause : {1000, 1100, 1200}) EXPECT_EQ(pause_at(limiter, beginning, 1), pause);
}

TEST(RateLimit, GivesNoPlaceTwice) {
  RateLimiter limiter(RateLimit{1000, 1});
  std::mutex mutex;
  std::multiset<Clock::time_point> moments;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 500; ++j) {
        const auto moment = limiter.reserve(beginning, beginning, beginning + std::chrono::hours(1), 0).value();
        const std::lock_guard<std::mutex> lock(mutex);
        moments.insert(moment);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(moments.size(), 2000U);
  auto expected = beginning;
  for (const auto moment : moments) {
    EXPECT_EQ(moment, expected);
    expected += milliseconds(1);
  }
}

class LimitedClient : public ::testing::Test {
 protected:
  LimitedClient() : transport_(std::make_shared<MockTransport>()) {
    options_.steady_clock = [] { return beginning; };
    options_.random = [] { return 0.5; };
    transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  }

  BonusCommitClient client() const {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options_)
        .value();
  }

  std::vector<std::int64_t> pauses() const {
    std::vector<std::int64_t> pauses;
    for (const SendOptions& options : transport_->send_options()) pauses.push_back(options.delay.count());
    return pauses;
  }

  MockTransport::Handler too_many(const char* retry_after) {
    return [this, retry_after](const HttpRequest& request) {
      HttpResponse response = wechat_pay_.error(429, "RATELIMIT_EXCEEDED", "too many", request);
      if (*retry_after != '\0') response.headers.push_back({"Retry-After", retry_after});
      return response;
    };
  }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<MockTransport> transport_;
  ClientOptions options_;
};

TEST_F(LimitedClient, SpacesItsCalls) {
  options_.rate_limit = {4, 2};
  const BonusCommitClient limited = client();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limited.commit(seed_request()));
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 0, 250, 500, 750}));
}

TEST_F(LimitedClient, CountsEveryTry) {
  options_.rate_limit = {1, 1};
  transport_->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  const BonusCommitClient limited = client();
  EXPECT_TRUE(limited.commit(seed_request()));
  EXPECT_TRUE(limited.commit(seed_request()));
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 1000, 2000}));
}

TEST_F(LimitedClient, FailsFastWhereTheDeadlineCannotBeMet) {
  options_.rate_limit = {0.1, 1};
  options_.timeout = seconds(15);
  const BonusCommitClient limited = client();
  EXPECT_TRUE(limited.commit(seed_request()));
  EXPECT_TRUE(limited.commit(seed_request()));
  const CommitResult third = limited.commit(seed_request());
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, ErrorKind::rate_limited);
  EXPECT_EQ(third.error().outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(third.error().message, "ClientOptions::rate_limit"));
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 10000}));
}

TEST_F(LimitedClient, EndsWithItsErrorWhereTheLimitLeavesNoRoomForAnotherTry) {
  options_.rate_limit = {0.1, 1};
  options_.timeout = seconds(5);
  transport_->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  const CommitResult result = client().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().transport_fault, TransportFault::timeout);
  EXPECT_EQ(result.error().outcome, Outcome::unknown);
  EXPECT_TRUE(contains(result.error().message, "rate limit")) << result.error().message;
}

TEST_F(LimitedClient, StandsStillAsAWholeAfterA429) {
  options_.retry.max_tries = 1;
  const BonusCommitClient one = client();
  transport_->then(too_many(""));
  EXPECT_FALSE(one.commit(seed_request()));
  EXPECT_TRUE(one.commit(seed_request()));
  transport_->then(too_many("7"));
  EXPECT_FALSE(one.commit(seed_request()));
  EXPECT_TRUE(one.commit(seed_request()));
  transport_->then(too_many("86400"));
  EXPECT_FALSE(one.commit(seed_request()));
  const CommitResult refused = one.commit(seed_request());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::rate_limited);
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 1500, 1500, 7500, 7500}));
}

TEST_F(LimitedClient, HaltsNoLongerThanItMay) {
  options_.retry.max_tries = 1;
  options_.rate_limit.longest_pause = seconds(2);
  transport_->then(too_many("86400"));
  const BonusCommitClient one = client();
  EXPECT_FALSE(one.commit(seed_request()));
  EXPECT_TRUE(one.commit(seed_request()));
  options_.rate_limit.longest_pause = seconds(0);
  transport_->then(too_many("86400"));
  const BonusCommitClient other = client();
  EXPECT_FALSE(other.commit(seed_request()));
  EXPECT_TRUE(other.commit(seed_request()));
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 2500, 0, 0}));
}

TEST_F(LimitedClient, TriesAgainSoonAfterRetryAfterAllowsIt) {
  transport_->then(too_many("3"));
  EXPECT_TRUE(client().commit(seed_request()));
  EXPECT_EQ(pauses(), (std::vector<std::int64_t>{0, 3500}));
}

}  // namespace
}  // namespace wechatpay::bonus_commit

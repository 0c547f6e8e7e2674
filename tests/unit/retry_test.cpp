#include "wechatpay/bonus_commit/stages/retry.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/stages/hosts.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Error answered(ErrorKind kind, int status, VerificationFault fault = VerificationFault::header_missing) {
  Error error;
  error.kind = kind;
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.http_status = status;
  answer.verification_fault = fault;
  return error;
}

Error failed(TransportFault fault) {
  Error error;
  error.kind = ErrorKind::transport_failed;
  error.transport_fault = fault;
  return error;
}

TEST(WorthAnotherTry, AfterTheseStatusesAlone) {
  for (int status = 100; status < 600; ++status) {
    const bool expected = status == 202 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    for (const ErrorKind kind : {ErrorKind::api_error, ErrorKind::unexpected_answer}) {
      EXPECT_EQ(worth_another_try(answered(kind, status, VerificationFault::none)), expected) << status;
      EXPECT_EQ(worth_another_try(answered(kind, status)), expected || status == 408) << status;
    }
  }
}

TEST(WorthAnotherTry, AfterAnAnswerToAnotherRequest) {
  EXPECT_TRUE(worth_another_try(answered(ErrorKind::api_error, 400, VerificationFault::nonce_repeated)));
}

TEST(MetStaleConnection, WhereAServerTellsByA408ThatItsPatienceWasOver) {
  Try latest = answered(ErrorKind::unexpected_answer, 408).tries.back();
  EXPECT_FALSE(met_stale_connection(latest)) << "on a new connection";
  latest.transfer.connection_reused = true;
  EXPECT_TRUE(met_stale_connection(latest));
  latest.answer->verification_fault = VerificationFault::none;
  EXPECT_FALSE(met_stale_connection(latest)) << "WeChat Pay itself says so of the request";
}

TEST(WorthAnotherTry, AfterASuccessThatDidNotVerify) {
  for (const int status : {200, 202, 204}) {
    EXPECT_TRUE(worth_another_try(answered(ErrorKind::unverified_answer, status)));
  }
}

TEST(WorthAnotherTry, AfterNetworkFailuresButNotAFailedTlsVerification) {
  const struct {
    TransportFault fault;
    bool again;
  } cases[] = {
      {TransportFault::name_lookup, true},
      {TransportFault::connect, true},
      {TransportFault::tls, true},
      {TransportFault::tls_verification, false},
      {TransportFault::timeout, true},
      {TransportFault::no_free_connection, false},
      {TransportFault::connection_closed, true},
      {TransportFault::answer_too_large, true},
      {TransportFault::answer_malformed, true},
      {TransportFault::shut_down, false},
      {TransportFault::other, false},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(worth_another_try(failed(each.fault)), each.again) << to_string(each.fault);
    EXPECT_EQ(speaks_against_host(failed(each.fault)), each.again) << to_string(each.fault);
  }
}

TEST(WorthAnotherTry, NotAfterAFaultOfOurOwn) {
  for (const ErrorKind kind : {ErrorKind::invalid_request, ErrorKind::invalid_configuration, ErrorKind::signing_failed,
                               ErrorKind::misuse, ErrorKind::internal_error}) {
    EXPECT_FALSE(worth_another_try(answered(kind, 0)));
    EXPECT_FALSE(worth_another_try(answered(kind, 500)));
  }
}

TEST(SpeaksAgainstHost, WhereAGatewaySaysSo) {
  for (int status = 100; status < 600; ++status) {
    EXPECT_EQ(speaks_against_host(answered(ErrorKind::api_error, status)), status >= 502 && status <= 504) << status;
  }
}

TEST(Worse, ALaterTryTakesNothingBack) {
  constexpr Outcome n = Outcome::not_sent;
  constexpr Outcome r = Outcome::refused;
  constexpr Outcome u = Outcome::unknown;
  static_assert(worse(n, n) == n && worse(r, r) == r && worse(u, u) == u);
  static_assert(worse(n, r) == r && worse(r, n) == r);
  static_assert(worse(n, u) == u && worse(u, n) == u && worse(r, u) == u && worse(u, r) == u);
}

TEST(LongestPause, DoublesUpToItsBound) {
  const RetryOptions options;
  const int expected[] = {200, 400, 800, 1600, 3200, 5000, 5000};
  for (int tries = 1; tries <= 7; ++tries) {
    EXPECT_EQ(longest_pause(tries, options), milliseconds(expected[tries - 1])) << tries;
  }
  EXPECT_EQ(longest_pause(1000000, options), milliseconds(5000));
}

TEST(Decide, PausesARandomPartOfTheBackoff) {
  const RetryOptions options;
  const Error error = answered(ErrorKind::api_error, 500);
  EXPECT_EQ(decide(error, 1, seconds(30), 0.0, options).pause, milliseconds(0));
  EXPECT_EQ(decide(error, 1, seconds(30), 0.5, options).pause, milliseconds(100));
  EXPECT_EQ(decide(error, 1, seconds(30), 1.0, options).pause, milliseconds(200));
  EXPECT_EQ(decide(error, 2, seconds(30), 1.0, options).pause, milliseconds(400));
  EXPECT_TRUE(decide(error, 1, seconds(30), 1.0, options).again);
}

TEST(Decide, TakesARandomNumberThatIsNoneForTheLongestPause) {
  const RetryOptions options;
  Error error = answered(ErrorKind::api_error, 500);
  for (const double strange : {std::nan(""), 1.001, 1e300, HUGE_VAL}) {
    EXPECT_EQ(decide(error, 1, seconds(30), strange, options).pause, milliseconds(200)) << strange;
  }
  EXPECT_EQ(decide(error, 1, seconds(30), -1e300, options).pause, milliseconds(0));
  error.retry_after = seconds(7);
  EXPECT_EQ(decide(error, 1, seconds(30), std::nan(""), options).pause, seconds(8));
}

TEST(Decide, EndsWhenAllTriesAreUsedUp) {
  RetryOptions options;
  const Error error = answered(ErrorKind::api_error, 500);
  EXPECT_TRUE(decide(error, 2, seconds(30), 0.0, options).again);
  const Decision last = decide(error, 3, seconds(30), 0.0, options);
  EXPECT_FALSE(last.again);
  EXPECT_EQ(last.why_not, "all tries are used up");
  options.max_tries = 1;
  EXPECT_FALSE(decide(error, 1, seconds(30), 0.0, options).again);
  EXPECT_EQ(decide(error, 1, seconds(30), 0.0, options).why_not, "") << "turned off, so nothing to tell";
}

TEST(Decide, StaysWithinTheDeadline) {
  const RetryOptions options;
  const Error error = answered(ErrorKind::api_error, 500);
  EXPECT_TRUE(decide(error, 1, milliseconds(201), 1.0, options).again);
  EXPECT_FALSE(decide(error, 1, milliseconds(200), 1.0, options).again);
  EXPECT_FALSE(decide(error, 1, milliseconds(0), 0.0, options).again);
  EXPECT_FALSE(decide(error, 1, milliseconds(-5), 0.0, options).again);
  EXPECT_TRUE(contains(decide(error, 1, milliseconds(0), 0.0, options).why_not, "the deadline"));
}

TEST(Decide, RespectsRetryAfterUpToTheDeadline) {
  const RetryOptions options;
  Error error = answered(ErrorKind::api_error, 429);
  error.retry_after = seconds(7);
  EXPECT_EQ(decide(error, 1, seconds(30), 0.0, options).pause, seconds(7));
  EXPECT_EQ(decide(error, 1, seconds(30), 1.0, options).pause, seconds(8)) << "not all at once";
  EXPECT_EQ(decide(error, 1, milliseconds(7001), 1.0, options).pause, seconds(7));
  const Decision late = decide(error, 1, seconds(7), 1.0, options);
  EXPECT_FALSE(late.again);
  EXPECT_TRUE(contains(late.why_not, "Retry-After"));
  error.retry_after = seconds(0);
  EXPECT_EQ(decide(error, 1, seconds(30), 1.0, options).pause, milliseconds(200)) << "the backoff is the least";
  error.retry_after = seconds(86400);
  EXPECT_FALSE(decide(error, 1, seconds(30), 1.0, options).again);
}

TEST(Decide, EndsAtOnceWhereNothingWouldChange) {
  const Decision decision = decide(answered(ErrorKind::api_error, 400), 1, seconds(30), 0.0, RetryOptions());
  EXPECT_FALSE(decision.again);
  EXPECT_EQ(decision.why_not, "");
}

TEST(RandomFraction, IsFrom0To1AndSpreadsOut) {
  double least = 1;
  double most = 0;
  for (int i = 0; i < 1000; ++i) {
    const double random = random_fraction();
    EXPECT_GE(random, 0);
    EXPECT_LE(random, 1);
    if (random < least) least = random;
    if (random > most) most = random;
  }
  EXPECT_LT(least, 0.1);
  EXPECT_GT(most, 0.9);
}

/// The main host is 0, the backup host is 1. No value means a call's first try.
class HostChoice : public ::testing::Test {
 protected:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  static Hosts::Clock::time_point at_second(int second) { return Hosts::Clock::time_point(seconds(second)); }

  Hosts hosts_{{"https://main", "https://backup"}, seconds(30)};
};

TEST_F(HostChoice, PrefersTheMainHost) {
  EXPECT_EQ(hosts_.choose(at_second(0), none), 0U);
  EXPECT_EQ(hosts_.choose(at_second(0), 1), 0U);
  EXPECT_EQ(hosts_.origin(0), "https://main");
}

TEST_F(HostChoice, LeavesAFailedHostAloneForItsCoolDown) {
  hosts_.failed(0, at_second(0));
  EXPECT_EQ(hosts_.choose(at_second(0), 0), 1U);
  EXPECT_EQ(hosts_.choose(at_second(29), none), 1U);
}

TEST_F(HostChoice, SendsOneCallToLookAfterTheCoolDown) {
  hosts_.failed(0, at_second(0));
  EXPECT_EQ(hosts_.choose(at_second(30), none), 0U) << "the one that looks";
  EXPECT_EQ(hosts_.choose(at_second(30), none), 1U);
  EXPECT_EQ(hosts_.choose(at_second(59), none), 1U);
  hosts_.failed(0, at_second(40));
  EXPECT_EQ(hosts_.choose(at_second(60), none), 1U);
  EXPECT_EQ(hosts_.choose(at_second(70), none), 0U);
  hosts_.succeeded(0);
  EXPECT_EQ(hosts_.choose(at_second(70), none), 0U) << "all go back";
  EXPECT_EQ(hosts_.choose(at_second(70), none), 0U);
}

TEST_F(HostChoice, AlternatesWhereAllHaveFailed) {
  hosts_.failed(0, at_second(0));
  hosts_.failed(1, at_second(0));
  EXPECT_EQ(hosts_.choose(at_second(1), 0), 1U);
  EXPECT_EQ(hosts_.choose(at_second(1), 1), 0U);
  EXPECT_EQ(hosts_.choose(at_second(1), none), 0U);
}

TEST_F(HostChoice, StaysWithTheOnlyHost) {
  Hosts only({"https://main"}, seconds(30));
  only.failed(0, at_second(0));
  EXPECT_EQ(only.choose(at_second(1), 0), 0U);
  EXPECT_EQ(only.choose(at_second(1), none), 0U);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// A commit step by step, without threads, transport or clock.
#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t start = 1554208460;

class Attempts : public ::testing::Test {
 protected:
  Attempts() {
    options_.random = [this] { return random_; };
    options_.hooks.on_try = [this](const TryEvent& event) { tries_.push_back(event.next.again); };
  }

  static Moment after(milliseconds passed) {
    return {std::chrono::steady_clock::time_point(passed), at(start) + passed};
  }

  CommitAttempts make() {
    setup_ = std::make_shared<ClientSetup>(wechat_pay_.platform_keys(), options_);
    return another();
  }

  /// Another commit of the same client.
  CommitAttempts another() const {
    return {setup_, std::make_shared<const Credentials>(wechat_pay_.credentials()), call_};
  }

  static SignedTry sent(CommitAttempts& attempts, CommitStep step) {
    attempts.hand_over();
    return std::get<SignedTry>(std::move(step));
  }

  static Error ended(CommitStep step) { return std::get<CommitResult>(std::move(step)).error(); }

  HttpResponse answer(int status, const SignedTry& next) {
    return wechat_pay_.error(status, "SYSTEM_ERROR", "m", next.request);
  }

  static Error timeout() { return transport_error(TransportFault::timeout, Outcome::unknown, "timed out"); }

  FakeWechatPay wechat_pay_{{"1900000001", [] { return at(start); }}};
  ClientOptions options_;
  double random_ = 0.5;
  const StopSource stop_;
  CallOptions call_{milliseconds(0), stop_.get_token()};
  std::shared_ptr<ClientSetup> setup_;
  std::vector<bool> tries_;  ///< for each reported try, whether another followed
};

TEST_F(Attempts, BeginWithARequestToSendAtOnce) {
  CommitAttempts attempts = make();
  const SignedTry request = sent(attempts, attempts.begin(seed_request(), after(seconds(5))));
  EXPECT_EQ(request.request.path, seed_path);
  EXPECT_EQ(request.request.body, seed_body);
  EXPECT_EQ(request.options.delay, milliseconds(0));
  EXPECT_EQ(request.options.deadline, seconds(30));
  EXPECT_EQ(request.options.timeout, seconds(10));
  EXPECT_FALSE(request.options.stop.stop_requested());
  EXPECT_FALSE(request.options.fresh_connection);
  EXPECT_TRUE(contains(request.request.headers[0].value, "timestamp=\"" + std::to_string(start + 5) + "\""));
  EXPECT_TRUE(tries_.empty());
}

TEST_F(Attempts, EndWhereTheCheckFails) {
  CommitAttempts attempts = make();
  BonusCommitRequest request = seed_request();
  request.bonus_value = 0;
  const Error error = ended(attempts.begin(request, after(seconds(0))));
  EXPECT_EQ(error.kind, ErrorKind::invalid_request);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_EQ(error.remedy, Remedy::correct_request);
}

TEST_F(Attempts, EndWithAReceipt) {
  CommitAttempts attempts = make();
  const SignedTry request = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  const CommitStep step = attempts.on_response(wechat_pay_.answer(request.request), after(milliseconds(40)));
  EXPECT_EQ(std::get<CommitResult>(step).value().tries, 1);
  EXPECT_EQ(tries_, (std::vector<bool>{false}));
}

TEST_F(Attempts, GoOnAfterAPauseOnTheOtherHostUntilTheyAreUsedUp) {
  CommitAttempts attempts = make();
  const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  const SignedTry second = sent(attempts, attempts.on_response(answer(503, first), after(seconds(1))));
  EXPECT_NE(second.request.origin, first.request.origin);
  EXPECT_NE(second.request.headers[0].value, first.request.headers[0].value) << "signed anew";
  EXPECT_EQ(second.options.delay, milliseconds(100));
  EXPECT_EQ(second.options.deadline, milliseconds(28900));
  const SignedTry third = sent(attempts, attempts.on_response(answer(500, second), after(seconds(2))));
  EXPECT_EQ(third.options.delay, milliseconds(200));
  const Error error = ended(attempts.on_response(answer(500, third), after(seconds(3))));
  EXPECT_EQ(error.tries.size(), 3U);
  EXPECT_EQ(tries_, (std::vector<bool>{true, true, false}));
  EXPECT_TRUE(contains(error.message,
                       "tried 3 times: https://api.mch.weixin.qq.com 503, "
                       "https://api2.mch.weixin.qq.com 500 (2 times)"))
      << error.message;
}

TEST_F(Attempts, TrustNoKeptConnectionOnceATryGotNoAnswer) {
  Error stale = transport_error(TransportFault::connection_closed, Outcome::unknown, "closed");
  stale.tries.emplace_back().transfer.connection_reused = true;
  for (const Error& failure : {stale, timeout(), transport_error(TransportFault::connect, Outcome::not_sent, "no")}) {
    CommitAttempts attempts = make();
    SignedTry request = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
    EXPECT_FALSE(request.options.fresh_connection);
    request = sent(attempts, attempts.on_response(failure, after(seconds(1))));
    EXPECT_TRUE(request.options.fresh_connection);
    request = sent(attempts, attempts.on_response(answer(500, request), after(seconds(2))));
    EXPECT_TRUE(request.options.fresh_connection) << "to the call's end";
  }
  CommitAttempts attempts = make();
  SignedTry request = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  request = sent(attempts, attempts.on_response(answer(500, request), after(seconds(1))));
  EXPECT_FALSE(request.options.fresh_connection) << "an answer came, so the connection is well";
}

TEST_F(Attempts, AreGivenUpWithWhatIsKnown) {
  CommitAttempts unsent = make();
  EXPECT_TRUE(std::holds_alternative<SignedTry>(unsent.begin(seed_request(), after(seconds(0)))));
  Error error = unsent.give_up(transport_error(TransportFault::shut_down, Outcome::unknown, "gone")).error();
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_TRUE(error.tries.empty());

  CommitAttempts on_its_way = make();
  sent(on_its_way, on_its_way.begin(seed_request(), after(seconds(0))));
  error = on_its_way.give_up(transport_error(TransportFault::shut_down, Outcome::not_sent, "gone")).error();
  EXPECT_EQ(error.outcome, Outcome::unknown);
  ASSERT_EQ(error.tries.size(), 1U);
  EXPECT_EQ(error.tries[0].transport_fault, TransportFault::shut_down);

  CommitAttempts in_its_pause = make();
  sent(in_its_pause, in_its_pause.begin(seed_request(), after(seconds(0))));
  EXPECT_TRUE(std::holds_alternative<SignedTry>(in_its_pause.on_response(timeout(), after(seconds(1)))));
  error = in_its_pause.give_up(transport_error(TransportFault::shut_down, Outcome::unknown, "gone")).error();
  EXPECT_EQ(error.outcome, Outcome::unknown) << "of the first try";
  EXPECT_EQ(error.tries.size(), 1U);
  EXPECT_TRUE(contains(error.message, "an earlier try may have been done")) << error.message;
}

TEST_F(Attempts, EndWhereTheyAreStopped) {
  CommitAttempts attempts = make();
  sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  stop_.request_stop();
  const Error error = ended(attempts.on_response(timeout(), after(seconds(1))));
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.outcome, Outcome::unknown);
}

TEST_F(Attempts, SignNothingWhereTheStopWasRequestedBefore) {
  bool asked_for_a_nonce = false;
  options_.nonce = [&] {
    asked_for_a_nonce = true;
    return std::string(32, 'n');
  };
  CommitAttempts attempts = make();
  stop_.request_stop();
  const Error error = ended(attempts.begin(seed_request(), after(seconds(0))));
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_EQ(error.transport_fault, TransportFault::cancelled);
  EXPECT_FALSE(asked_for_a_nonce);
}

TEST_F(Attempts, KeepTheTimeoutOfTheirCallInsteadOfTheClientsDeadline) {
  for (const seconds timeout_of_call : {seconds(3), seconds(240)}) {
    call_.timeout = timeout_of_call;
    CommitAttempts attempts = make();
    const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
    EXPECT_EQ(first.options.deadline, timeout_of_call);
    EXPECT_EQ(first.options.timeout, std::min(timeout_of_call, seconds(10)));
    const SignedTry second = sent(attempts, attempts.on_response(timeout(), after(seconds(1))));
    EXPECT_EQ(second.options.deadline + second.options.delay, timeout_of_call - seconds(1)) << "pauses included";
    const Error error = ended(attempts.on_response(timeout(), after(timeout_of_call)));
    EXPECT_TRUE(contains(error.message, "the deadline leaves no time")) << error.message;
  }
}

TEST_F(Attempts, AreRefusedWithATimeoutThatCannotWork) {
  for (const milliseconds timeout_of_call : {milliseconds(-1), milliseconds(240001), (milliseconds::max)()}) {
    call_.timeout = timeout_of_call;
    CommitAttempts attempts = make();
    const Error error = ended(attempts.begin(seed_request(), after(seconds(0))));
    EXPECT_EQ(error.kind, ErrorKind::misuse);
    EXPECT_EQ(error.outcome, Outcome::not_sent);
    EXPECT_EQ(error.remedy, Remedy::correct_the_program);
    EXPECT_TRUE(contains(error.message, "CallOptions::timeout must be from 0 ms")) << error.message;
  }
}

TEST_F(Attempts, AskTheRateLimitForAPlaceUnlessTheyHaveOne) {
  options_.rate_limit = {0.1, 1};
  options_.timeout = seconds(5);
  CommitAttempts first = make();
  EXPECT_TRUE(std::holds_alternative<SignedTry>(first.begin(seed_request(), after(seconds(0)))));
  CommitAttempts second = another();
  const Error error = ended(second.begin(seed_request(), after(seconds(0))));
  EXPECT_EQ(error.kind, ErrorKind::rate_limited);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  CommitAttempts with_place = another();
  EXPECT_EQ(std::get<SignedTry>(with_place.begin(seed_request(), after(seconds(0)), true)).options.delay.count(), 0);
}

TEST_F(Attempts, NeverCallAnExpiredDeadlineARateLimit) {
  for (const int deadline : {1, 2, 5}) {
    options_.timeout = milliseconds(deadline);
    CommitAttempts attempts = make();
    const SignedTry request = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
    EXPECT_EQ(request.options.deadline, milliseconds(deadline));
    const Error error = ended(attempts.on_response(timeout(), after(milliseconds(deadline))));
    EXPECT_EQ(error.kind, ErrorKind::transport_failed);
    EXPECT_EQ(error.transport_fault, TransportFault::timeout);
    EXPECT_TRUE(contains(error.message, "the deadline leaves no time")) << error.message;
    EXPECT_FALSE(contains(error.message, "rate limit")) << error.message;
  }
}

TEST_F(Attempts, TakeARandomNumberThatIsNoneForTheLongestPause) {
  for (const double strange : {std::nan(""), HUGE_VAL, 1.5, -HUGE_VAL, -1.0}) {
    random_ = strange;
    CommitAttempts attempts = make();
    const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
    const auto pause = std::get<SignedTry>(attempts.on_response(answer(500, first), after(seconds(1)))).options.delay;
    EXPECT_EQ(pause, strange < 0 ? milliseconds(0) : milliseconds(200)) << strange;
    setup_->rate_limiter.pause(after(seconds(3)).steady);
    CommitAttempts paused = another();
    const auto after_429 = std::get<SignedTry>(paused.begin(seed_request(), after(seconds(2)))).options.delay;
    EXPECT_EQ(after_429, strange < 0 ? seconds(1) : seconds(2)) << strange;
  }
}

TEST_F(Attempts, SignTheNextTryLaterWithWhatIsLeftOfItsPause) {
  options_.retry.first_backoff = milliseconds(200);
  random_ = 1;
  for (const auto& [late, left] :
       {std::pair(milliseconds(0), milliseconds(200)), {milliseconds(150), milliseconds(50)}, {seconds(3), {}}}) {
    CommitAttempts attempts = make();
    const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
    EXPECT_FALSE(attempts.conclude(answer(500, first), after(seconds(1))));
    const SignedTry second = sent(attempts, attempts.next_try(after(seconds(1) + late)));
    EXPECT_EQ(second.options.delay, left);
    EXPECT_EQ(second.options.deadline, seconds(29) - late - left);
  }
}

TEST_F(Attempts, EndWithTheLatestErrorWhereTheNextTryComesAfterTheDeadline) {
  CommitAttempts attempts = make();
  const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  EXPECT_FALSE(attempts.conclude(answer(500, first), after(seconds(1))));
  const Error error = ended(attempts.next_try(after(seconds(30))));
  EXPECT_EQ(error.http_status(), 500);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_EQ(error.tries.size(), 1U);
  EXPECT_TRUE(contains(error.message, "; the deadline passed before the next try was signed")) << error.message;
}

TEST_F(Attempts, AreCancelledWhereTheStopComesBeforeTheNextTryIsSigned) {
  CommitAttempts attempts = make();
  const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  EXPECT_FALSE(attempts.conclude(answer(500, first), after(seconds(1))));
  stop_.request_stop();
  const Error error = ended(attempts.next_try(after(seconds(1))));
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.transport_fault, TransportFault::cancelled);
  EXPECT_EQ(error.outcome, Outcome::unknown) << "of the first try";
}

TEST_F(Attempts, SayWhyThereIsNoNextTry) {
  CommitAttempts attempts = make();
  const SignedTry first = sent(attempts, attempts.begin(seed_request(), after(seconds(0))));
  const SignedTry second = sent(attempts, attempts.on_response(answer(500, first), after(seconds(1))));
  EXPECT_FALSE(attempts.conclude(answer(503, second), after(seconds(2))));
  const Error error = attempts.without_next_try("nobody signs it").error();
  EXPECT_EQ(error.http_status(), 503);
  EXPECT_EQ(error.tries.size(), 2U);
  EXPECT_TRUE(contains(error.message, "; nobody signs it")) << error.message;
}

TEST_F(Attempts, EndWithoutTheTryThatWasSignedTooLate) {
  CommitAttempts attempts = make();
  ASSERT_TRUE(std::holds_alternative<SignedTry>(attempts.begin(seed_request(), after(seconds(0)))));
  const Error unsent = attempts.too_late().error();
  EXPECT_EQ(unsent.transport_fault, TransportFault::timeout);
  EXPECT_EQ(unsent.outcome, Outcome::not_sent);
  EXPECT_EQ(unsent.remedy, Remedy::retry_later);
  EXPECT_TRUE(unsent.tries.empty());

  CommitAttempts others = another();
  const SignedTry first = sent(others, others.begin(seed_request(), after(seconds(0))));
  ASSERT_TRUE(std::holds_alternative<SignedTry>(others.on_response(answer(500, first), after(seconds(1)))));
  const Error error = others.too_late().error();
  EXPECT_EQ(error.http_status(), 500);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_EQ(error.tries.size(), 1U);
  EXPECT_TRUE(contains(error.message, "; the deadline passed while the next try was signed")) << error.message;
}

TEST_F(Attempts, BelieveOfATransportsErrorOnlyWhatItMustKnow) {
  Error made_by_hand;
  made_by_hand.kind = ErrorKind::transport_failed;
  Error internal = transport_error(TransportFault::none, Outcome::not_sent, "out of memory");
  internal.kind = ErrorKind::internal_error;
  Error refused = transport_error(TransportFault::connect, Outcome::refused, "no");
  Error of_wechat_pay = transport_error(TransportFault::none, Outcome::refused, "WeChat Pay says no");
  of_wechat_pay.kind = ErrorKind::api_error;
  Answer& answer = of_wechat_pay.tries.emplace_back().answer.emplace();
  answer.http_status = 400;
  answer.code = "PARAM_ERROR";
  answer.verification_fault = VerificationFault::none;
  for (const Error& told :
       {Error(), made_by_hand, internal, refused, of_wechat_pay, configuration_error("no proxy"), rate_limited()}) {
    const Error error = failure_of_transport(told);
    EXPECT_EQ(to_string(error.outcome), "unknown") << to_string(told.kind);
    EXPECT_EQ(error.kind, ErrorKind::transport_failed);
    EXPECT_NE(error.transport_fault, TransportFault::none);
    EXPECT_EQ(error.answer(), nullptr);
    EXPECT_EQ(error.message, told.message);
  }
  const Error unsent = failure_of_transport(transport_error(TransportFault::connect, Outcome::not_sent, "no"));
  EXPECT_EQ(unsent.outcome, Outcome::not_sent);
  EXPECT_EQ(unsent.remedy, Remedy::retry_later);
  Error misuse = transport_error(TransportFault::none, Outcome::not_sent, "in a child");
  misuse.kind = ErrorKind::misuse;
  EXPECT_EQ(failure_of_transport(misuse).kind, ErrorKind::misuse);
  EXPECT_EQ(failure_of_transport(misuse).outcome, Outcome::not_sent);
  EXPECT_EQ(failure_of_transport(misuse).remedy, Remedy::correct_the_program);
  Error cancelled;
  cancelled.kind = ErrorKind::cancelled;
  EXPECT_EQ(failure_of_transport(cancelled).transport_fault, TransportFault::cancelled);
  const Error untrusted = transport_error(TransportFault::tls_verification, Outcome::not_sent, "not trusted");
  EXPECT_EQ(failure_of_transport(untrusted).remedy, Remedy::correct_setup);
}

TEST_F(Attempts, TellAFailureToSignAsThat) {
  options_.nonce = []() -> Result<std::string> { throw std::runtime_error("no entropy"); };
  CommitAttempts attempts = make();
  const Error error = ended(attempts.begin(seed_request(), after(seconds(0))));
  EXPECT_EQ(error.kind, ErrorKind::signing_failed);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(error.message, "ClientOptions::nonce threw: no entropy")) << error.message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit

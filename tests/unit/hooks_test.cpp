// What is reported to hooks and when, and that hooks cannot break calls.
#include "wechatpay/bonus_commit/hooks.hpp"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <stdexcept>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class Watching : public ::testing::Test {
 protected:
  Watching() : transport_(std::make_shared<MockTransport>()) {
    options_.steady_clock = [this] { return std::chrono::steady_clock::time_point(passed_); };
    options_.random = [] { return 0.5; };
    options_.hooks.on_try = [this](const TryEvent& event) { tries_.push_back(event); };
    options_.hooks.on_call = [this](const CallEvent& event) { calls_.push_back(event); };
    transport_->otherwise([this](const HttpRequest& request) {
      passed_ += milliseconds(40);
      HttpResponse response = wechat_pay_.answer(request);
      response.transfer.tls = microseconds(1234);
      response.transfer.connection_reused = true;
      return response;
    });
  }

  BonusCommitClient client() const {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options_)
        .value();
  }

  milliseconds passed_{0};
  FakeWechatPay wechat_pay_;
  std::shared_ptr<MockTransport> transport_;
  ClientOptions options_;
  std::vector<TryEvent> tries_;
  std::vector<CallEvent> calls_;
};

TEST_F(Watching, TellsOfATryAndOfItsCall) {
  const CommitResult result = client().commit(seed_request());
  ASSERT_TRUE(result);
  ASSERT_EQ(tries_.size(), 1U);
  EXPECT_EQ(tries_[0].out_trade_no, seed_request().out_trade_no);
  EXPECT_EQ(tries_[0].number, 1);
  EXPECT_TRUE(tries_[0].result.credited);
  EXPECT_EQ(tries_[0].result.origin, "https://api.mch.weixin.qq.com");
  EXPECT_EQ(tries_[0].result.http_status(), 204);
  EXPECT_EQ(tries_[0].result.answer->request_id, result->request_id);
  EXPECT_TRUE(tries_[0].result.answer->verified());
  EXPECT_EQ(tries_[0].result.duration, milliseconds(40));
  EXPECT_EQ(tries_[0].result.transfer.tls, microseconds(1234));
  EXPECT_TRUE(tries_[0].result.transfer.connection_reused);
  EXPECT_FALSE(tries_[0].next.again);
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].out_trade_no, seed_request().out_trade_no);
  EXPECT_TRUE(calls_[0].result);
  EXPECT_EQ(calls_[0].tries, 1);
  EXPECT_EQ(calls_[0].duration, milliseconds(40));
}

TEST_F(Watching, TellsOfEveryTryAndWhatComesNext) {
  Error timeout = transport_error(TransportFault::timeout, Outcome::unknown, "timed out");
  timeout.tries.emplace_back().transfer.connect = microseconds(77);
  transport_->then(timeout);
  transport_->then(
      [this](const HttpRequest& request) { return wechat_pay_.error(503, "SYSTEM_ERROR", "busy", request); });
  transport_->then(
      [this](const HttpRequest& request) { return wechat_pay_.error(500, "SYSTEM_ERROR", "down", request); });
  EXPECT_FALSE(client().commit(seed_request()));
  ASSERT_EQ(tries_.size(), 3U);
  EXPECT_EQ(tries_[0].result.transport_fault, TransportFault::timeout);
  EXPECT_EQ(tries_[0].result.outcome, Outcome::unknown);
  EXPECT_EQ(tries_[0].result.transfer.connect, microseconds(77));
  EXPECT_TRUE(tries_[0].next.again);
  EXPECT_EQ(tries_[0].next.pause, milliseconds(100));
  EXPECT_EQ(tries_[1].number, 2);
  EXPECT_EQ(tries_[1].result.origin, "https://api2.mch.weixin.qq.com");
  EXPECT_EQ(tries_[1].result.http_status(), 503);
  EXPECT_EQ(tries_[1].result.answer->code, "SYSTEM_ERROR");
  EXPECT_EQ(tries_[1].result.outcome, Outcome::refused);
  EXPECT_FALSE(tries_[1].result.answer->request_id.empty());
  EXPECT_FALSE(tries_[2].next.again);
  EXPECT_TRUE(contains(tries_[2].next.why_not, "used up"));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].tries, 3);
  EXPECT_EQ(calls_[0].result.error().outcome, Outcome::unknown);
  EXPECT_EQ(calls_[0].result.error().tries[0].transfer.connect, microseconds(77));
}

TEST_F(Watching, TellsOfACallThatSendsNothing) {
  BonusCommitRequest request = seed_request();
  request.bonus_value = 0;
  EXPECT_FALSE(client().commit(request));
  EXPECT_TRUE(tries_.empty());
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].tries, 0);
  EXPECT_EQ(calls_[0].result.error().kind, ErrorKind::invalid_request);
}

TEST_F(Watching, TellsTheOrderNumberAlsoWhereTheClockThrows) {
  options_.clock = []() -> std::chrono::system_clock::time_point { throw std::runtime_error("no clock"); };
  EXPECT_FALSE(client().commit(seed_request()));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].out_trade_no, seed_request().out_trade_no);
  EXPECT_EQ(calls_[0].tries, 0);
}

TEST_F(Watching, TellsNoDurationWhereTheClockThrowsAtTheStart) {
  passed_ = milliseconds(7000);
  options_.clock = []() -> std::chrono::system_clock::time_point { throw std::runtime_error("no clock"); };
  EXPECT_FALSE(client().commit(seed_request()));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].duration, milliseconds(0));
}

TEST_F(Watching, TellsOfACallAlsoWhereItsSteadyClockThrows) {
  options_.steady_clock = []() -> std::chrono::steady_clock::time_point { throw std::runtime_error("no clock"); };
  EXPECT_FALSE(client().commit(seed_request()));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].result.error().message, "a function of ClientOptions, or the transport, threw: no clock");
  EXPECT_EQ(calls_[0].duration, milliseconds(0));
}

TEST_F(Watching, GivesEventsThatAnotherThreadMayTakeAfterTheCallHasEnded) {
  std::optional<std::promise<TryEvent>> of_try(std::in_place);
  std::optional<std::promise<CallEvent>> of_call(std::in_place);
  std::future<std::string> told =
      std::async(std::launch::async, [tried = of_try->get_future(), called = of_call->get_future()]() mutable {
        const TryEvent event = tried.get();
        const CallEvent call = called.get();
        return event.out_trade_no + " " + event.result.answer->code + " " + std::string(event.next.why_not) + ", " +
               call.out_trade_no + " " + call.result.error().tries[0].answer->code;
      });
  std::vector<TryEvent> kept;
  options_.hooks.on_try = [&](const TryEvent& event) { kept.push_back(event); };
  options_.hooks.on_call = [&](const CallEvent& event) { of_call->set_value(event); };
  options_.retry.max_tries = 2;
  const auto busy = [this](const HttpRequest& request) { return wechat_pay_.error(500, "BUSY", "m", request); };
  transport_->then(busy).then(busy);
  {
    auto request = std::make_unique<BonusCommitRequest>(seed_request());
    request->out_trade_no = "a number that is longer than what a";
    request->out_trade_no.resize(32);
    EXPECT_FALSE(client().commit(*request));
  }
  of_try->set_value(std::move(kept.back()));
  kept.clear();
  EXPECT_EQ(told.get(),
            "a number that is longer than wha BUSY all tries are used up, a number that is longer than wha BUSY");
}

TEST_F(Watching, ComesBeforeTheCallback) {
  std::string order;
  options_.hooks.on_try = [&](const TryEvent&) { order += "try "; };
  options_.hooks.on_call = [&](const CallEvent&) { order += "call "; };
  client().commit_async(seed_request(), [&](const CommitResult&) { order += "callback"; });
  EXPECT_EQ(order, "try call callback");
}

TEST_F(Watching, SwallowsAnExceptionOfAHook) {
  options_.hooks.on_try = [](const TryEvent&) { throw std::runtime_error("mine"); };
  options_.hooks.on_call = [](const CallEvent&) { throw 1; };
  transport_->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  EXPECT_TRUE(client().commit(seed_request()));
  EXPECT_EQ(transport_->requests().size(), 2U);
}

TEST_F(Watching, RefusesToBlockInAHook) {
  std::vector<ErrorKind> kinds;
  const BonusCommitClient other = client();
  const auto block = [&] {
    const CommitResult result = other.commit(seed_request());
    kinds.push_back(result ? ErrorKind::internal_error : result.error().kind);
  };
  options_.hooks.on_try = [&](const TryEvent&) { block(); };
  options_.hooks.on_call = [&](const CallEvent&) { block(); };
  EXPECT_TRUE(client().commit(seed_request()));
  EXPECT_EQ(kinds, (std::vector<ErrorKind>{ErrorKind::misuse, ErrorKind::misuse}));
}

TEST_F(Watching, SeesNoSecret) {
  transport_->then([this](const HttpRequest& request) {
    HttpResponse response = wechat_pay_.error(429, "CODE", header_value(request.headers, "Authorization"), request);
    response.headers.push_back({"Request-ID", std::string(header_value(request.headers, "Authorization"))});
    return response;
  });
  EXPECT_TRUE(client().commit(seed_request()));
  ASSERT_EQ(tries_.size(), 2U);
  const std::string authorization(header_value(transport_->requests()[0].headers, "Authorization"));
  const std::string signature = authorization.substr(authorization.find("signature=\"") + 11, 344);
  ASSERT_EQ(signature.size(), 344U);
  for (const TryEvent& one : tries_) {
    EXPECT_FALSE(contains(one.result.answer->request_id, signature.substr(0, 40)));
    EXPECT_FALSE(contains(one.result.answer->code, signature.substr(0, 40)));
    EXPECT_FALSE(contains(one.result.answer->message, signature.substr(0, 40)));
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// A call that is cancelled ends as soon as its transport lets it, with what is known of it.
#include "wechatpay/bonus_commit/cancellation.hpp"

#include <gtest/gtest.h>

#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay {
namespace {

TEST(Cancellation, CallsTheLatestListenerOnce) {
  Cancellation cancellation;
  int first = 0;
  int second = 0;
  cancellation.listen([&] { ++first; });
  cancellation.listen([&] { ++second; });
  EXPECT_FALSE(cancellation.requested());
  cancellation.request();
  cancellation.request();
  EXPECT_TRUE(cancellation.requested());
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST(Cancellation, CallsAListenerThatComesTooLateAtOnce) {
  Cancellation cancellation;
  cancellation.request();
  int calls = 0;
  cancellation.listen([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

class CancelledCall : public ::testing::Test {
 protected:
  CancelledCall() : transport_(std::make_shared<HeldTransport>()) {
    client_.emplace(
        BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_).value());
  }

  static Error timeout() { return transport_error(TransportFault::timeout, Outcome::unknown, "timed out"); }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<HeldTransport> transport_;
  std::optional<BonusCommitClient> client_;
};

TEST_F(CancelledCall, HandsItsCancellationToTheTransport) {
  CommitFuture future = client_->commit_async(seed_request());
  ASSERT_EQ(transport_->requests.size(), 1U);
  EXPECT_FALSE(transport_->requests[0].cancellation->requested());
  future.cancel();
  EXPECT_TRUE(transport_->requests[0].cancellation->requested());

  transport_->completions[0](transport_error(TransportFault::cancelled, Outcome::not_sent, "given up"));
  const Error error = future.get().error();
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.transport_fault, TransportFault::cancelled);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_EQ(error.tries.size(), 1U);
}

TEST_F(CancelledCall, IsNotTriedAgainByATransportThatKnowsNothingOfIt) {
  CommitFuture future = client_->commit_async(seed_request());
  future.cancel();
  transport_->completions[0](timeout());
  const Error error = future.get().error();
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_EQ(transport_->requests.size(), 1U);
}

TEST_F(CancelledCall, TakesNoEarlierUnknownBack) {
  CommitFuture future = client_->commit_async(seed_request());
  transport_->completions[0](timeout());
  ASSERT_EQ(transport_->requests.size(), 2U);
  future.cancel();
  transport_->completions[1](transport_error(TransportFault::cancelled, Outcome::not_sent, "given up"));
  EXPECT_EQ(future.get().error().outcome, Outcome::unknown);
}

TEST_F(CancelledCall, EndsWithTheResultThatWasThereFirst) {
  CommitFuture credited = client_->commit_async(seed_request());
  credited.cancel();
  transport_->completions[0](wechat_pay_.answer(transport_->requests[0]));
  EXPECT_TRUE(credited.get());

  CommitFuture refused = client_->commit_async(seed_request());
  refused.cancel();
  transport_->completions[1](wechat_pay_.error(403, "NO_AUTH", "no", transport_->requests[1]));
  EXPECT_EQ(refused.get().error().kind, ErrorKind::api_error);
}

TEST_F(CancelledCall, IsCancelledByACopyOfItsHandleAndNotByLettingGoOfIt) {
  int calls = 0;
  {
    const CommitHandle dropped = client_->commit_async(seed_request(), [&](const CommitResult&) { ++calls; });
  }
  EXPECT_FALSE(transport_->requests[0].cancellation->requested());

  const CommitHandle handle = client_->commit_async(seed_request(), [&](const CommitResult&) { ++calls; });
  const CommitHandle copy = handle;
  copy.cancel();
  EXPECT_TRUE(transport_->requests[1].cancellation->requested());
  for (const auto& complete : transport_->completions) complete(HttpResponse{404, {}, ""});
  EXPECT_EQ(calls, 2);
  handle.cancel();
  CommitHandle().cancel();
}

TEST_F(CancelledCall, MayBeCancelledWhereItHasEnded) {
  CommitFuture future = client_->commit_async(seed_request());
  transport_->completions[0](wechat_pay_.answer(transport_->requests[0]));
  future.cancel();
  EXPECT_TRUE(future.get());
}

}  // namespace
}  // namespace wechatpay

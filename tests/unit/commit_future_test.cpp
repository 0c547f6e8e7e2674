// The future of a commit: when it is ready, and what it returns if there is no result.
#include "wechatpay/bonus_commit/commit_future.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using std::chrono::milliseconds;

class Future : public ::testing::Test {
 protected:
  CommitFuture start() { return client_.commit_async(seed_request()); }

  /// Makes the transport answer the request of the call with this number.
  void end(std::size_t number) { held_->completions[number](wechat_pay_.answer(held_->requests[number])); }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<HeldTransport> held_ = std::make_shared<HeldTransport>();
  BonusCommitClient client_ =
      BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), held_).value();
};

TEST_F(Future, GivesTheResultOnce) {
  CommitFuture future = start();
  EXPECT_TRUE(future.valid());
  EXPECT_FALSE(future.ready());
  EXPECT_FALSE(future.wait_for(milliseconds(0)));
  EXPECT_FALSE(future.wait_for((milliseconds::min)())) << "at once, and without an overflow";
  end(0);
  EXPECT_TRUE(future.ready());
  EXPECT_TRUE(future.wait_for((milliseconds::max)())) << "at once, and without an overflow";
  EXPECT_TRUE(future.get());
  EXPECT_FALSE(future.valid());
  const Error error = future.get().error();
  EXPECT_EQ(error.kind, ErrorKind::misuse);
  EXPECT_EQ(error.outcome, Outcome::unknown) << "it must not call a commit unsent that was done";
}

TEST_F(Future, WaitsForTheThreadThatEndsTheCall) {
  CommitFuture got = start();
  const CommitFuture waited_for = start();
  std::thread other([this] {
    end(0);
    end(1);
  });
  EXPECT_TRUE(got.get());
  EXPECT_TRUE(waited_for.wait_for(std::chrono::hours(24)));
  other.join();
}

TEST_F(Future, IsStoppedWhileAnotherThreadWaitsForIt) {
  CommitFuture future = start();
  std::thread waiting([&] { EXPECT_EQ(future.get().error().kind, ErrorKind::cancelled); });
  future.request_stop();
  EXPECT_TRUE(held_->options[0].stop.stop_requested());
  held_->completions[0](transport_error(TransportFault::cancelled, Outcome::not_sent, "taken back"));
  waiting.join();
  future.request_stop();
  EXPECT_FALSE(future.valid());
}

TEST_F(Future, IsMovedAndNotCopied) {
  static_assert(!std::is_copy_constructible_v<CommitFuture> && !std::is_copy_assignable_v<CommitFuture>);
  static_assert(std::is_nothrow_move_constructible_v<CommitFuture> && std::is_nothrow_move_assignable_v<CommitFuture>);
  CommitFuture future = start();
  CommitFuture other = std::move(future);
  EXPECT_FALSE(future.valid());  // NOLINT(bugprone-use-after-move): it is empty
  end(0);
  EXPECT_TRUE(other.get());
}

TEST_F(Future, IsReadyWhereItIsEmpty) {
  CommitFuture empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_TRUE(empty.ready());
  EXPECT_TRUE(empty.wait_for(std::chrono::hours(1)));
  EXPECT_FALSE(empty.on_ready([] { FAIL() << "there is nothing to hear of"; }));
  empty.request_stop();
  EXPECT_EQ(empty.get().error().kind, ErrorKind::misuse);
}

TEST_F(Future, SaysWhenItIsReady) {
  std::optional<CommitFuture> future = start();
  std::string heard;
  EXPECT_TRUE(future->on_ready([&] { heard += "the one before"; }));
  EXPECT_TRUE(future->on_ready([&, owned = std::make_unique<int>()] {
    heard += in_callback() ? "ready, in a callback" : "ready";
    EXPECT_TRUE(future->get());
    future.reset();
    throw std::runtime_error("the user's");
  }));
  EXPECT_EQ(heard, "");
  end(0);
  EXPECT_EQ(heard, "ready, in a callback");
  EXPECT_FALSE(future);
}

TEST_F(Future, LeavesAListenerThatComesTooLateToItsOwner) {
  const CommitFuture ready = start();
  end(0);
  int calls = 0;
  MoveOnlyFunction<void()> listener = [&] { ++calls; };
  EXPECT_FALSE(ready.on_ready(std::move(listener)));
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(listener);  // NOLINT(bugprone-use-after-move): see on_ready()
  listener();
  EXPECT_EQ(calls, 1);
}

TEST_F(Future, IsNotWaitedForInACallback) {
  CommitFuture waiting = start();
  std::optional<Error> error;
  bool ready_result = false;
  CommitFuture ready = start();
  end(1);
  client_.commit_async(seed_request(), [&](const CommitResult&) {
    error = waiting.get().error();
    ready_result = ready.get().has_value();
  });
  end(2);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::misuse);
  EXPECT_EQ(error->outcome, Outcome::unknown);
  EXPECT_TRUE(ready_result) << "for that nobody has to wait";
  end(0);
  EXPECT_TRUE(waiting.get()) << "it is as it was";
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// One token stops any number of calls, on any thread. No call waits for itself.
#include "wechatpay/bonus_commit/stop.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <list>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using AnyCallback = StopCallback<std::function<void()>>;

TEST(Stop, IsSeenByEachTokenOfItsSource) {
  const StopSource source;
  const StopSource copy = source;  // NOLINT(performance-unnecessary-copy-initialization): it shares the state
  const StopToken token = source.get_token();
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  EXPECT_TRUE(copy.request_stop()) << "the first time";
  EXPECT_FALSE(source.request_stop());
  EXPECT_TRUE(token.stop_requested());
  EXPECT_TRUE(source.stop_requested());
  EXPECT_FALSE(StopSource().stop_requested());
}

TEST(Stop, NeverComesForATokenWithoutASource) {
  const StopToken none;
  EXPECT_FALSE(none.stop_possible());
  EXPECT_FALSE(none.stop_requested());
  const StopCallback callback(none, [] { FAIL(); });
}

TEST(Stop, CallsEachCallbackOnceOnTheThreadThatRequestsIt) {
  const StopSource source;
  int calls = 0;
  std::thread::id thread;
  const StopCallback one(source.get_token(), [&] { ++calls; });
  const StopCallback other(source.get_token(), [&, owned = std::make_unique<int>()] {
    ++calls;
    thread = std::this_thread::get_id();
  });
  EXPECT_EQ(calls, 0);
  std::thread requester([&] {
    source.request_stop();
    source.request_stop();
  });
  const auto there = requester.get_id();
  requester.join();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(thread, there);
}

TEST(Stop, CallsACallbackThatComesTooLateAtOnce) {
  const StopSource source;
  source.request_stop();
  int calls = 0;
  const StopCallback late(source.get_token(), [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Stop, CallsNoCallbackThatIsGone) {
  const StopSource source;
  std::list<AnyCallback> callbacks;
  std::string called;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    callbacks.emplace_back(source.get_token(), [&called, name] { called += name; });
  }
  callbacks.erase(std::next(callbacks.begin(), 2));
  callbacks.pop_front();
  callbacks.pop_back();
  source.request_stop();
  EXPECT_EQ(called, "db") << "of any order, this one";
}

TEST(Stop, SwallowsAnExceptionOfACallback) {
  const StopSource source;
  int calls = 0;
  const auto fails = [&] {
    ++calls;
    throw std::runtime_error("the user's");
  };
  const StopCallback one(source.get_token(), fails);
  const StopCallback other(source.get_token(), fails);
  source.request_stop();
  const StopCallback late(source.get_token(), fails);
  EXPECT_EQ(calls, 3);
}

TEST(Stop, LetsACallbackDestroyItselfAndOthersAndTheSource) {
  std::optional<StopSource> source;
  source.emplace();
  std::vector<std::unique_ptr<AnyCallback>> callbacks;
  int calls = 0;
  for (int i = 0; i < 3; ++i) {
    callbacks.push_back(std::make_unique<AnyCallback>(source->get_token(), [&] {
      ++calls;
      source.reset();
      std::vector<std::unique_ptr<AnyCallback>> gone;
      gone.swap(callbacks);
    }));
  }
  source->request_stop();
  EXPECT_EQ(calls, 1);
}

TEST(Stop, WaitsForACallbackOnAnotherThreadBeforeThatIsGone) {
  const StopSource source;
  std::promise<void> entered;
  std::promise<void> go_on;
  std::atomic<bool> left{false};
  std::optional<AnyCallback> callback;
  callback.emplace(source.get_token(), [&] {
    entered.set_value();
    go_on.get_future().wait();
    left = true;
  });
  std::thread requester([&] { source.request_stop(); });
  entered.get_future().wait();
  std::thread destroyer([&] {
    callback.reset();
    EXPECT_TRUE(left);
  });
  {
    const StopCallback other(source.get_token(), [] {});
  }  // the destructor does not wait
  go_on.set_value();
  destroyer.join();
  requester.join();
}

TEST(Stop, ComesOnceToEachOfManyCallbacksThatComeAndGoOnOtherThreads) {
  for (int round = 0; round < 20; ++round) {
    const StopSource source;
    std::atomic<int> called_twice{0};
    std::atomic<bool> begun{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, token = source.get_token()] {
        while (!token.stop_requested()) {
          std::atomic<int> calls{0};
          {
            const StopCallback one(token, [&] { ++calls; });
            const StopCallback other(token, [&] { ++calls; });
            begun = true;
          }
          if (calls > 2) ++called_twice;
        }
      });
    }
    while (!begun) std::this_thread::yield();
    source.request_stop();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(called_twice, 0);
  }
}

/// Whether `body` returns true in a forked child before a timeout.
template <typename Body>
bool holds_in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Stop, InAForkedChildWaitsForNoCallbackOfTheParents) {
  const StopSource source;
  std::promise<void> entered;
  std::promise<void> go_on;
  std::optional<AnyCallback> callback;
  callback.emplace(source.get_token(), [&] {
    entered.set_value();
    go_on.get_future().wait();
  });
  std::thread requester([&] { source.request_stop(); });
  entered.get_future().wait();
  EXPECT_TRUE(holds_in_child([&] {
    callback.reset();
    return source.get_token().stop_requested();
  }));
  go_on.set_value();
  requester.join();
}

TEST(Stop, InAForkedChildTakesNoLockOfTheParents) {
  const StopSource source;
  std::atomic<bool> ending{false};
  std::atomic<int> parents{0};
  std::vector<std::thread> threads;  // so that at most moments the lock is held
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!ending) const StopCallback callback(source.get_token(), [&] { ++parents; });
    });
  }
  std::optional<AnyCallback> of_the_parent;
  of_the_parent.emplace(source.get_token(), [&] { ++parents; });
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    good += holds_in_child([&] {
      int calls = 0;
      const StopCallback own(source.get_token(), [&] { ++calls; });
      {
        const StopCallback gone(source.get_token(), [&] { ++calls; });
      }
      of_the_parent.reset();
      const bool first = source.request_stop();
      return first && calls == 1 && parents == 0 && source.stop_requested();
    });
  }
  EXPECT_EQ(good, 100);
  ending = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(source.stop_requested()) << "a child's stop is the child's";
}

/// Keeps each request until its stop is requested.
class HeedingTransport final : public Transport {
 public:
  void send(HttpRequest, SendOptions options, Completion done) override {
    const auto end = [done = std::move(done)] {
      done(transport_error(TransportFault::cancelled, Outcome::not_sent, "taken back"));
    };
    kept_.emplace_back(options.stop, end);
    sent.set_value();
  }

  std::promise<void> sent;

 private:
  std::list<AnyCallback> kept_;
};

class StoppedCall : public ::testing::Test {
 protected:
  StoppedCall() : client_(client(transport_)) {}

  std::optional<BonusCommitClient> client(std::shared_ptr<Transport> transport) {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), std::move(transport))
        .value();
  }

  static CallOptions with(const StopSource& source) {
    CallOptions options;
    options.stop = source.get_token();
    return options;
  }

  static Error timeout() { return transport_error(TransportFault::timeout, Outcome::unknown, "timed out"); }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<HeldTransport> transport_ = std::make_shared<HeldTransport>();
  std::optional<BonusCommitClient> client_;
  StopSource stop_;
};

TEST_F(StoppedCall, HandsItsStopToTheTransport) {
  CommitFuture stopped_itself = client_->commit_async(seed_request());
  CommitFuture stopped_by_token = client_->commit_async(seed_request(), with(stop_));
  ASSERT_EQ(transport_->requests.size(), 2U);
  for (const SendOptions& options : transport_->options) EXPECT_FALSE(options.stop.stop_requested());
  stopped_itself.request_stop();
  EXPECT_TRUE(transport_->options[0].stop.stop_requested());
  EXPECT_FALSE(transport_->options[1].stop.stop_requested());
  stop_.request_stop();
  EXPECT_TRUE(transport_->options[1].stop.stop_requested());

  for (const auto& complete : transport_->completions) {
    complete(transport_error(TransportFault::cancelled, Outcome::not_sent, "given up"));
  }
  for (CommitFuture* const future : {&stopped_itself, &stopped_by_token}) {
    const Error error = future->get().error();
    EXPECT_EQ(error.kind, ErrorKind::cancelled);
    EXPECT_EQ(error.transport_fault, TransportFault::cancelled);
    EXPECT_EQ(error.outcome, Outcome::not_sent);
    EXPECT_EQ(error.tries.size(), 1U);
  }
}

TEST_F(StoppedCall, EndsWhileItsCallerWaits) {
  const auto heeding = std::make_shared<HeedingTransport>();
  const auto waiting = client(heeding);
  std::thread caller([&] {
    const CommitResult result = waiting->commit(seed_request(), with(stop_));
    EXPECT_EQ(result.error().kind, ErrorKind::cancelled) << result.error().message;
    EXPECT_EQ(result.error().outcome, Outcome::not_sent);
  });
  heeding->sent.get_future().wait();
  stop_.request_stop();
  caller.join();
}

TEST_F(StoppedCall, SendsNothingWhereTheStopWasRequestedBefore) {
  stop_.request_stop();
  const CommitResult blocking = client_->commit(seed_request(), with(stop_));
  const CommitResult future = client_->commit_async(seed_request(), with(stop_)).get();
  std::optional<CommitResult> callback;
  client_->commit_async(
      seed_request(), [&](CommitResult result) { callback = std::move(result); }, with(stop_));
  ASSERT_TRUE(callback);
  for (const CommitResult& result : {blocking, future, *callback}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
    EXPECT_EQ(result.error().outcome, Outcome::not_sent);
    EXPECT_EQ(result.error().remedy, Remedy::retry_later);
    EXPECT_TRUE(result.error().tries.empty());
  }
  EXPECT_TRUE(transport_->requests.empty());
}

TEST_F(StoppedCall, SharesItsTokenWithAnyNumberOfOthers) {
  const auto other = client(transport_);
  int cancelled = 0;
  const auto count = [&](const CommitResult& result) {
    cancelled += !result && result.error().kind == ErrorKind::cancelled ? 1 : 0;
  };
  for (int i = 0; i < 200; ++i) (i % 2 == 0 ? client_ : other)->commit_async(seed_request(), count, with(stop_));
  client_->commit_async(seed_request(), count);
  stop_.request_stop();
  for (const auto& complete : transport_->completions) complete(timeout());
  EXPECT_EQ(cancelled, 200);
  EXPECT_EQ(transport_->requests.size(), 202U) << "the one without the token is tried again";
}

TEST_F(StoppedCall, IsNotTriedAgainByATransportThatKnowsNothingOfIt) {
  CommitFuture future = client_->commit_async(seed_request(), with(stop_));
  stop_.request_stop();
  transport_->completions[0](timeout());
  const Error error = future.get().error();
  EXPECT_EQ(error.kind, ErrorKind::cancelled);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_EQ(transport_->requests.size(), 1U);
}

TEST_F(StoppedCall, TakesNoEarlierUnknownBack) {
  CommitFuture future = client_->commit_async(seed_request(), with(stop_));
  transport_->completions[0](timeout());
  ASSERT_EQ(transport_->requests.size(), 2U);
  stop_.request_stop();
  transport_->completions[1](transport_error(TransportFault::cancelled, Outcome::not_sent, "given up"));
  EXPECT_EQ(future.get().error().outcome, Outcome::unknown);
}

TEST_F(StoppedCall, EndsWithTheResultThatWasThereFirst) {
  CommitFuture credited = client_->commit_async(seed_request());
  credited.request_stop();
  transport_->completions[0](wechat_pay_.answer(transport_->requests[0]));
  EXPECT_TRUE(credited.get());

  CommitFuture refused = client_->commit_async(seed_request());
  refused.request_stop();
  transport_->completions[1](wechat_pay_.error(403, "NO_AUTH", "no", transport_->requests[1]));
  EXPECT_EQ(refused.get().error().kind, ErrorKind::api_error);
}

TEST_F(StoppedCall, GoesOnWhereItsFutureIsDropped) {
  { const CommitFuture dropped = client_->commit_async(seed_request()); }
  EXPECT_FALSE(transport_->options[0].stop.stop_requested());
}

TEST_F(StoppedCall, LeavesNothingWithTheTokenWhereItHasEnded) {
  CommitFuture future = client_->commit_async(seed_request(), with(stop_));
  transport_->completions[0](wechat_pay_.answer(transport_->requests[0]));
  stop_.request_stop();
  future.request_stop();
  EXPECT_TRUE(future.get());
  client_->commit_async(
      seed_request(), [](const CommitResult&) {}, with(StopSource()));
  EXPECT_FALSE(transport_->options[1].stop.stop_requested()) << "the end of a source is no stop";

  const StopSource later;
  CommitFuture ended = client_->commit_async(seed_request(), with(later));
  transport_->completions[2](wechat_pay_.answer(transport_->requests[2]));
  later.request_stop();
  EXPECT_FALSE(transport_->options[2].stop.stop_requested()) << "nobody hands it on any more";
  EXPECT_TRUE(ended.get());
}

TEST_F(StoppedCall, MayLoseItsClientToAStopCallback) {
  const StopCallback before(stop_.get_token(), [this] { client_.reset(); });
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    client_->commit_async(
        seed_request(), [&](const CommitResult&) { ++ended; }, with(stop_));
  }
  const StopCallback after(stop_.get_token(), [this] { client_.reset(); });
  stop_.request_stop();
  EXPECT_EQ(ended, 3);
  EXPECT_FALSE(client_);
}

TEST_F(StoppedCall, MayDestroyItsClientInTheCallbackThatTheStopBringsAbout) {
  const auto heeding = std::make_shared<HeedingTransport>();
  auto one = client(heeding);
  bool ended = false;
  one->commit_async(
      seed_request(),
      [&](const CommitResult& result) {
        one.reset();
        ended = result.error().kind == ErrorKind::cancelled;
      },
      with(stop_));
  stop_.request_stop();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

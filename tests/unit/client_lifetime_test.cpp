// Destroying a client, whatever its transport does or fails to do.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/held_transport.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// Calls `send` for each request, and records which thread destroyed it.
class ScriptedTransport final : public Transport {
 public:
  using Send = std::function<void(HttpRequest, SendOptions, Completion)>;

  explicit ScriptedTransport(Send send, std::thread::id* destroyed_by = nullptr)
      : send_(std::move(send)), destroyed_by_(destroyed_by) {}
  ~ScriptedTransport() override {
    if (destroyed_by_ != nullptr) *destroyed_by_ = std::this_thread::get_id();
  }

  void send(HttpRequest request, SendOptions options, Completion done) override {
    send_(std::move(request), std::move(options), std::move(done));
  }

 private:
  const Send send_;
  std::thread::id* const destroyed_by_;
};

/// A one-shot event for which another thread waits.
class Event {
 public:
  void set() { promise_.set_value(); }
  void wait() { promise_.get_future().wait(); }

 private:
  std::promise<void> promise_;
};

class ClientsEnd : public ::testing::Test {
 protected:
  ClientsEnd() {
    options_.retry.first_backoff = options_.retry.longest_backoff = std::chrono::milliseconds(0);
    options_.hooks.on_call = [this](const CallEvent&) { ++ended_; };
  }

  std::optional<BonusCommitClient> client(std::shared_ptr<Transport> transport) {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), std::move(transport),
                                     options_)
        .value();
  }

  BonusCommitClient::Callback note() {
    return [this](const CommitResult& result) {
      const std::lock_guard<std::mutex> lock(mutex_);
      errors_.push_back(result ? Error() : result.error());
    };
  }

  FakeWechatPay wechat_pay_;
  ClientOptions options_;
  std::atomic<int> ended_{0};
  std::mutex mutex_;
  std::vector<Error> errors_;
};

TEST_F(ClientsEnd, EndsCallsThatTheTransportNeverCompletes) {
  const auto held = std::make_shared<HeldTransport>();
  auto one = client(held);
  for (int i = 0; i < 3; ++i) one->commit_async(seed_request(), note());
  CommitFuture future = one->commit_async(seed_request());
  const auto copy = one;
  one.reset();
  EXPECT_EQ(errors_.size(), 0U) << "a copy is left";
  const_cast<std::optional<BonusCommitClient>&>(copy).reset();
  ASSERT_EQ(errors_.size(), 3U);
  for (const Error& error : errors_) {
    EXPECT_EQ(error.transport_fault, TransportFault::shut_down);
    EXPECT_EQ(error.outcome, Outcome::unknown);
    EXPECT_EQ(error.tries.size(), 1U);
  }
  EXPECT_EQ(future.get().error().transport_fault, TransportFault::shut_down);
  EXPECT_EQ(ended_, 4);
  for (const SendOptions& options : held->options) EXPECT_TRUE(options.stop.stop_requested());
  for (const auto& complete : held->completions) complete(HttpResponse{500, {}, ""});
  EXPECT_EQ(errors_.size(), 3U) << "too late to count";
  EXPECT_EQ(held->requests.size(), 4U) << "nor is anything sent again";
}

TEST_F(ClientsEnd, BelievesATransportThatEndsItsRequestsItself) {
  class Ending final : public Transport {
   public:
    ~Ending() override {
      for (const auto& complete : waiting) complete(transport_error(TransportFault::shut_down, Outcome::not_sent, "x"));
    }
    void send(HttpRequest, SendOptions, Completion done) override { waiting.push_back(std::move(done)); }
    std::vector<Completion> waiting;
  };
  auto one = client(std::make_shared<Ending>());
  for (int i = 0; i < 3; ++i) one->commit_async(seed_request(), note());
  one.reset();
  ASSERT_EQ(errors_.size(), 3U);
  for (const Error& error : errors_) EXPECT_EQ(error.outcome, Outcome::not_sent) << "it knows best";
}

TEST_F(ClientsEnd, TellsAStopByItsTransportAsWhatItIs) {
  std::optional<StopCallback<std::function<void()>>> on_stop;
  auto one = client(std::make_shared<ScriptedTransport>(
      [&on_stop](const HttpRequest&, const SendOptions& options, Transport::Completion done) {
        on_stop.emplace(options.stop, [done = std::move(done)] {
          done(transport_error(TransportFault::cancelled, Outcome::not_sent, "taken back"));
        });
      }));
  one->commit_async(seed_request(), note());
  one.reset();
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].kind, ErrorKind::transport_failed);
  EXPECT_EQ(errors_[0].transport_fault, TransportFault::shut_down);
  EXPECT_EQ(errors_[0].outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(errors_[0].message, "the client was destroyed")) << errors_[0].message;
}

TEST_F(ClientsEnd, EndsACommitThatWaits) {
  Event reached;
  auto one =
      client(std::make_shared<ScriptedTransport>([&, kept = std::make_shared<std::vector<Transport::Completion>>()](
                                                     const HttpRequest&, const SendOptions&, auto done) {
        kept->push_back(std::move(done));
        reached.set();
      }));
  std::thread waiting([commits = &*one] {
    EXPECT_EQ(commits->commit(seed_request()).error().transport_fault, TransportFault::shut_down);
  });
  reached.wait();
  one.reset();
  waiting.join();
  EXPECT_EQ(ended_, 1);
}

TEST_F(ClientsEnd, DoesNotHangWhereATransportCompletesWithinSendAndItsCompletionSendsAgain) {
  Event destroying;
  Event in_send;
  std::atomic<int> sent{0};
  auto one = client(std::make_shared<ScriptedTransport>(
      [&](const HttpRequest&, const SendOptions&, const Transport::Completion& done) {
        if (++sent == 1) {
          in_send.set();
          destroying.wait();
        }
        done(transport_error(TransportFault::connect, Outcome::not_sent, "the circuit is open"));
      }));
  std::thread caller([&, commits = &*one] { commits->commit_async(seed_request(), note()); });
  in_send.wait();
  std::thread destroyer([&] {
    destroying.set();
    one.reset();
    EXPECT_EQ(errors_.size(), 1U) << "its callback has run";
  });
  destroyer.join();
  caller.join();
  EXPECT_EQ(ended_, 1);
}

TEST_F(ClientsEnd, WaitsForACallbackOnAnotherThread) {
  Event in_callback;
  Event go_on;
  std::atomic<bool> left{false};
  const auto held = std::make_shared<HeldTransport>();
  auto one = client(held);
  one->commit_async(seed_request(), [&](const CommitResult&) {
    in_callback.set();
    go_on.wait();
    left = true;
  });
  std::thread completing([&] { held->completions[0](HttpResponse{404, {}, ""}); });
  in_callback.wait();
  std::thread destroyer([&] {
    one.reset();
    EXPECT_TRUE(left);
  });
  go_on.set();
  destroyer.join();
  completing.join();
}

TEST_F(ClientsEnd, InAHookLetsTheCallGoOnToItsEndAfterwards) {
  std::optional<BonusCommitClient> one;
  options_.hooks.on_try = [&](const TryEvent&) { one.reset(); };
  const auto mock = std::make_shared<MockTransport>();
  mock->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  one = client(mock);
  one->commit_async(seed_request(), note());
  EXPECT_FALSE(one);
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].transport_fault, TransportFault::shut_down);
  EXPECT_EQ(errors_[0].outcome, Outcome::unknown) << "of the first try";
  EXPECT_EQ(mock->requests().size(), 1U) << "no second one";
}

TEST_F(ClientsEnd, InsideSendEndsThatVeryCall) {
  std::optional<BonusCommitClient> one;
  std::thread::id destroyed_by;
  one = client(std::make_shared<ScriptedTransport>(
      [&](const HttpRequest&, const SendOptions&, const Transport::Completion& done) {
        one.reset();
        EXPECT_EQ(errors_.size(), 1U);
        done(HttpResponse{204, {}, ""});
      },
      &destroyed_by));
  one->commit_async(seed_request(), note());
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].outcome, Outcome::unknown);
  EXPECT_EQ(destroyed_by, std::this_thread::get_id());
}

TEST_F(ClientsEnd, LetsGoOfTheTransportOnItsOwnThread) {
  for (int round = 0; round < 20; ++round) {
    std::thread::id destroyed_by;
    std::vector<std::thread> threads;
    std::mutex mutex;
    {
      auto one = client(std::make_shared<ScriptedTransport>(
          [&](const HttpRequest&, const SendOptions&, Transport::Completion done) {
            const std::lock_guard<std::mutex> lock(mutex);
            threads.emplace_back([done = std::move(done)] { done(HttpResponse{500, {}, ""}); });
          },
          &destroyed_by));
      for (int i = 0; i < 4; ++i) one->commit_async(seed_request(), note());
    }
    EXPECT_EQ(destroyed_by, std::this_thread::get_id());
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(errors_.size(), 80U);
  EXPECT_EQ(ended_, 80);
}

TEST_F(ClientsEnd, EndsEachCallOnceWhileThreadsCompleteTwice) {
  for (int round = 0; round < 50; ++round) {
    const auto held = std::make_shared<HeldTransport>();
    options_.retry.max_tries = 1;
    auto one = client(held);
    for (int i = 0; i < 8; ++i) one->commit_async(seed_request(), note());
    const auto completions = held->completions;
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&completions] {
        for (const auto& complete : completions) complete(HttpResponse{500, {}, ""});
      });
    }
    one.reset();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ASSERT_EQ(errors_.size(), static_cast<std::size_t>(8 * (round + 1)));
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(ended_, 400);
}

TEST_F(ClientsEnd, TriesLoopWhereATransportCompletesAtOnce) {
  options_.retry.max_tries = 10;
  const auto mock = std::make_shared<MockTransport>();
  std::vector<const void*> frames;
  mock->otherwise([&](const HttpRequest&) -> Result<HttpResponse> {
    frames.push_back(__builtin_frame_address(0));
    return HttpResponse{500, {}, ""};
  });
  const CommitResult result = client(mock)->commit(seed_request());
  ASSERT_EQ(frames.size(), 10U);
  for (const void* frame : frames) EXPECT_EQ(frame, frames.front()) << "no try stands on the one before";
  EXPECT_LT(result.error().message.size(), 500U) << result.error().message;
  EXPECT_TRUE(contains(result.error().message, "500 (10 times)")) << result.error().message;
}

TEST_F(ClientsEnd, OfWhichACopyIsNeededByNoCallThatHasEnded) {
  const auto mock = std::make_shared<MockTransport>();
  mock->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const std::weak_ptr<Transport> watched = mock;
  auto one = client(mock);
  EXPECT_TRUE(one->commit(seed_request()));
  one.reset();
  EXPECT_EQ(watched.use_count(), 1);
}

TEST_F(ClientsEnd, InAForkedChildTakesNoLockAndSendsNothing) {
  if (with_address_sanitizer) {
    GTEST_SKIP() << "the sanitizer's malloc() may wait for ever in a forked child; shown by the other builds";
  }
  const auto mock = std::make_shared<MockTransport>();
  std::atomic<bool> stop{false};
  mock->otherwise([](const HttpRequest&) { return HttpResponse{404, {}, ""}; });
  auto one = client(mock);
  std::vector<std::thread> threads;  // so that at most moments some mutex is held
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) EXPECT_FALSE(one->commit(seed_request()));
    });
  }
  int ended_well = 0;
  for (int i = 0; i < 100; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      const CommitResult result = one->commit(seed_request());
      const auto range = std::vector<BonusCommitRequest>{seed_request()};
      const auto batch = commit_all(*one, range, [](const auto&, const auto&) { return true; });
      one.reset();
      const bool refused = !result && result.error().kind == ErrorKind::misuse &&
                           result.error().outcome == Outcome::not_sent && contains(result.error().message, "fork()");
      _exit(refused && !batch && batch.error().kind == ErrorKind::misuse ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ended_well += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended_well, 100);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// A coroutine that awaits a commit resumes exactly once, on the requested executor, whatever the transport and the
// executor do.
#include "wechatpay/bonus_commit/coroutine.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/detached.hpp"
#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// A coroutine that starts at once. Its owner destroys it, possibly while it waits.
class Task {
 public:
  struct promise_type {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };

  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  bool done() const { return coroutine_.done(); }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

/// A typical event loop: posted functions run on the thread that is in run().
class Loop {
 public:
  void post(std::function<void()> job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push(std::move(job));
    changed_.notify_all();
  }

  /// Runs until quit() is called and everything posted before that has run.
  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return quitting_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  void quit() {
    const std::lock_guard<std::mutex> lock(mutex_);
    quitting_ = true;
    changed_.notify_all();
  }

  std::size_t size() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return jobs_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::function<void()>> jobs_;
  bool quitting_ = false;
};

/// A loop with its own thread.
class Thread {
 public:
  Thread() : thread_([this] { loop.run(); }) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    loop.quit();
    thread_.join();
  }

  Loop loop;

 private:
  std::thread thread_;
};

Error refusal() { return transport_error(TransportFault::connect, Outcome::not_sent, "refused"); }

/// Answers on its own thread.
class ThreadedTransport final : public Transport {
 public:
  void send(HttpRequest, SendOptions, Completion done) override {
    thread_.loop.post([done = std::move(done)] { done(refusal()); });
  }

 private:
  Thread thread_;
};

/// Answers before send() returns, and records nothing.
class InstantTransport final : public Transport {
  void send(HttpRequest, SendOptions, Completion done) override { done(refusal()); }
};

/// Signs at no cost, for tests that commit many times.
class NoSignature final : public Signer {
  Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
};

class Coroutine : public ::testing::Test {
 protected:
  Coroutine() : held_(std::make_shared<HeldTransport>()) {
    options_.retry.max_tries = 1;
    options_.hooks.on_call = [this](const CallEvent&) { ++ended_; };
  }

  BonusCommitClient client(std::shared_ptr<Transport> transport) {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), std::move(transport),
                                     options_)
        .value();
  }

  /// A client whose transport keeps every request. It lives as long as the test.
  const BonusCommitClient& held_client() {
    if (!held_client_) held_client_.emplace(client(held_));
    return *held_client_;
  }

  /// A client whose transport answers at once with success.
  BonusCommitClient instant_client() {
    auto transport = std::make_shared<MockTransport>();
    transport->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
    return client(transport);
  }

  /// A client whose commits are fast but fail.
  BonusCommitClient fast_client(std::shared_ptr<Transport> transport) {
    options_.hooks.on_call = nullptr;
    options_.nonce = [] { return std::string(32, 'n'); };
    const auto credentials = Credentials::from_signer("1900000001", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
                                                      std::make_shared<NoSignature>());
    return BonusCommitClient::create(credentials.value(), wechat_pay_.platform_keys(), std::move(transport), options_)
        .value();
  }

  /// Makes the transport answer one of its held requests, on this thread.
  void answer(std::size_t number) { held_->completions.at(number)(wechat_pay_.answer(held_->requests.at(number))); }

  /// The same for all held requests.
  void answer() {
    for (std::size_t i = 0; i < held_->requests.size(); ++i) answer(i);
  }

  Executor loop() {
    return [this](std::function<void()> resume) { loop_.post(std::move(resume)); };
  }

  void run_loop() {
    loop_.quit();
    loop_.run();
  }

  FakeWechatPay wechat_pay_;
  ClientOptions options_;
  std::shared_ptr<HeldTransport> held_;
  std::atomic<int> ended_{0};  ///< calls that have ended
  Loop loop_;
  std::optional<BonusCommitClient> held_client_;
};

/// What a coroutine observed after it resumed.
struct Found {
  int resumptions = 0;
  CommitResult result = Error();
  std::thread::id thread;
};

Task wait_for(CommitFuture future, Found& found) {
  found.result = co_await std::move(future);
  found.thread = std::this_thread::get_id();
  ++found.resumptions;
}

Task wait_for(CommitFuture future, Executor executor, Found& found) {
  found.result = co_await resume_on(std::move(executor), std::move(future));
  found.thread = std::this_thread::get_id();
  ++found.resumptions;
}

TEST_F(Coroutine, GoesOnAtOnceWhereTheResultIsThere) {
  Found found;
  const Task task = wait_for(instant_client().commit_async(seed_request()), found);
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(found.result);
}

TEST_F(Coroutine, IsResumedWhereTheCommitEnds) {
  Found found;
  const Task task = wait_for(held_client().commit_async(seed_request()), found);
  EXPECT_FALSE(task.done());
  std::thread transport([&] { answer(); });
  const auto there = transport.get_id();
  transport.join();
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(found.result);
  EXPECT_EQ(found.thread, there);
}

TEST_F(Coroutine, IsResumedWhereItsExecutorRunsIt) {
  Found found;
  const Task task = wait_for(held_client().commit_async(seed_request()), loop(), found);
  std::thread([&] { answer(); }).join();
  EXPECT_EQ(ended_, 1);
  EXPECT_FALSE(task.done());
  run_loop();
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(found.result);
  EXPECT_EQ(found.thread, std::this_thread::get_id());
}

TEST_F(Coroutine, IsResumedByItsExecutorAlsoWhereTheResultIsThere) {
  Found found;
  const Task task = wait_for(instant_client().commit_async(seed_request()), loop(), found);
  EXPECT_FALSE(task.done());
  run_loop();
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(found.result);
}

TEST_F(Coroutine, RunsInsideAnExecutorThatRunsItAtOnce) {
  bool inside = false;
  const auto executor = [&](const std::function<void()>& resume) {
    inside = true;
    resume();
    inside = false;
  };
  const auto coroutine = [](CommitFuture future, auto on, const bool& in) -> Task {
    (void)co_await resume_on(on, std::move(future));
    EXPECT_TRUE(in);
  };
  const Task there = coroutine(instant_client().commit_async(seed_request()), executor, inside);
  EXPECT_TRUE(there.done());
  const Task later = coroutine(held_client().commit_async(seed_request()), executor, inside);
  answer();
  EXPECT_TRUE(later.done());
  EXPECT_FALSE(inside);
}

TEST_F(Coroutine, MayBeGoneWhenItsExecutorReturns) {
  const auto coroutine = [](CommitFuture future, Executor executor, Found& found) -> Detached {
    found.result = co_await resume_on(std::move(executor), std::move(future));
    ++found.resumptions;
  };
  int returned = 0;
  const auto elsewhere = [&returned](const std::function<void()>& resume) {
    std::thread(resume).join();
    ++returned;
  };
  Found found;
  coroutine(instant_client().commit_async(seed_request()), elsewhere, found);
  EXPECT_EQ(found.resumptions, 1);
  coroutine(held_client().commit_async(seed_request()), elsewhere, found);
  answer();
  EXPECT_EQ(found.resumptions, 2);
  EXPECT_EQ(returned, 2);
}

/// Calls commit() on the thread where the coroutine resumes, and stores the kind of its error.
Task try_to_block(CommitFuture future, Executor executor, BonusCommitClient instant, ErrorKind& kind) {
  (void)co_await CommitAwaiter(std::move(future), std::move(executor));
  const CommitResult result = instant.commit(seed_request());
  kind = result ? ErrorKind::internal_error : result.error().kind;
}

TEST_F(Coroutine, MayBlockOnlyWhereItIsNoCallback) {
  ErrorKind in_callback = ErrorKind::internal_error;
  ErrorKind in_inner_executor = ErrorKind::internal_error;
  ErrorKind in_loop = ErrorKind::misuse;
  ErrorKind at_once = ErrorKind::misuse;
  const BonusCommitClient instant = instant_client();
  const auto run_it = [](std::function<void()> resume) { resume(); };
  const Task first = try_to_block(held_client().commit_async(seed_request()), nullptr, instant, in_callback);
  const Task second = try_to_block(held_client().commit_async(seed_request()), run_it, instant, in_inner_executor);
  const Task third = try_to_block(held_client().commit_async(seed_request()), loop(), instant, in_loop);
  answer();
  run_loop();
  const Task fourth = try_to_block(instant.commit_async(seed_request()), nullptr, instant, at_once);
  EXPECT_EQ(in_callback, ErrorKind::misuse);
  EXPECT_EQ(in_inner_executor, ErrorKind::misuse);
  EXPECT_EQ(in_loop, ErrorKind::internal_error) << "which stands for success";
  EXPECT_EQ(at_once, ErrorKind::internal_error) << "which stands for success";
}

/// The caller's position in the stack.
[[gnu::noinline]] const void* depth() { return __builtin_frame_address(0); }

Task commit_many(BonusCommitClient client, Executor executor, std::vector<const void*>& depths) {
  const BonusCommitRequest request = seed_request();
  for (int i = 0; i < 1000; ++i) {
    (void)co_await CommitAwaiter(client.commit_async(request), executor);
    depths.push_back(depth());
  }
}

TEST_F(Coroutine, TakesNoMoreStackForEachResultThatIsThere) {
  const BonusCommitClient fast = fast_client(std::make_shared<InstantTransport>());
  const auto throwing = [](const std::function<void()>&) { throw std::runtime_error("the pool is closed"); };
  for (const Executor& executor : {Executor(), loop(), {throwing}}) {
    std::vector<const void*> depths;
    const Task task = commit_many(fast, executor, depths);
    run_loop();
    ASSERT_EQ(depths.size(), 1000U);
    EXPECT_EQ(depths.back(), depths[1]) << "the first one may be at the coroutine's beginning";
  }
}

/// `alive` is destroyed with the coroutine.
Detached commit_often(BonusCommitClient client, Executor executor, int& resumptions,
                      [[maybe_unused]] std::shared_ptr<void> alive) {
  const BonusCommitRequest request = seed_request();
  for (int i = 0; i < 1000; ++i) {
    const CommitResult plain = co_await client.commit_async(request);
    EXPECT_EQ(plain.error().transport_fault, TransportFault::connect);
    const CommitResult moved = co_await resume_on(executor, client.commit_async(request));
    EXPECT_EQ(moved.error().transport_fault, TransportFault::connect);
    resumptions += 2;
  }
}

TEST_F(Coroutine, MissesNoResultThatComesWhileItBeginsToWait) {
  Thread other;
  int resumptions[3] = {};
  {
    const BonusCommitClient threaded = fast_client(std::make_shared<ThreadedTransport>());
    std::promise<void> all_gone;
    std::shared_ptr<void> alive(nullptr, [&](void*) { all_gone.set_value(); });
    for (int& mine : resumptions) {
      commit_often(
          threaded, [&](std::function<void()> resume) { other.loop.post(std::move(resume)); }, mine, alive);
    }
    alive.reset();
    all_gone.get_future().wait();
  }
  for (const int mine : resumptions) EXPECT_EQ(mine, 2000);
}

TEST_F(Coroutine, IsNotResumedOnceItIsDestroyed) {
  Found found;
  {
    const Task plain = wait_for(held_client().commit_async(seed_request()), found);
    const Task posted = wait_for(held_client().commit_async(seed_request()), loop(), found);
  }
  EXPECT_EQ(ended_, 0);
  answer();
  run_loop();
  EXPECT_EQ(ended_, 2) << "the commits go on";
  EXPECT_EQ(wechat_pay_.times_committed(seed_request().out_trade_no), 2U);
  EXPECT_EQ(found.resumptions, 0);
}

TEST_F(Coroutine, IsNotResumedWhereItIsDestroyedInTheExecutorsQueue) {
  Found found;
  {
    const Task late = wait_for(held_client().commit_async(seed_request()), loop(), found);
    const Task early = wait_for(instant_client().commit_async(seed_request()), loop(), found);
    answer();
    EXPECT_EQ(loop_.size(), 2U);
  }
  run_loop();
  EXPECT_EQ(found.resumptions, 0);
}

TEST_F(Coroutine, IsResumedRightThereWhereItsExecutorThrows) {
  Found early;
  Found late;
  const auto throwing = [](const std::function<void()>&) { throw std::runtime_error("the pool is closed"); };
  const Task first = wait_for(instant_client().commit_async(seed_request()), throwing, early);
  EXPECT_TRUE(first.done());
  const Task second = wait_for(held_client().commit_async(seed_request()), throwing, late);
  std::thread transport([&] { answer(); });
  const auto there = transport.get_id();
  transport.join();
  EXPECT_TRUE(second.done());
  EXPECT_EQ(late.thread, there);
}

TEST_F(Coroutine, IsResumedOnceByAnExecutorThatRunsItTwiceAndThrows) {
  const auto coroutine = [](CommitFuture first, CommitFuture second, int& step) -> Task {
    const auto executor = [](const std::function<void()>& resume) {
      resume();
      resume();
      throw std::runtime_error("in the end");
    };
    CommitAwaiter awaiter = resume_on(executor, std::move(first));  // outlives its own await
    (void)co_await awaiter;
    step = 1;
    (void)co_await resume_on(executor, std::move(second));
    step = 2;
  };
  CommitFuture futures[4];
  futures[0] = instant_client().commit_async(seed_request());
  for (std::size_t i = 1; i < 4; ++i) futures[i] = held_client().commit_async(seed_request());
  int at_once = 0;
  int later = 0;
  const Task first = coroutine(std::move(futures[0]), std::move(futures[1]), at_once);
  const Task second = coroutine(std::move(futures[2]), std::move(futures[3]), later);
  EXPECT_EQ(at_once, 1);
  EXPECT_EQ(later, 0);
  answer(1);
  EXPECT_EQ(later, 1);
  answer(0);
  answer(2);
  EXPECT_EQ(at_once, 2);
  EXPECT_EQ(later, 2);
}

TEST_F(Coroutine, StaysWithItsOwnerWhereItsExecutorDropsIt) {
  Found found;
  const auto dropping = [](const std::function<void()>&) {};
  const Task first = wait_for(instant_client().commit_async(seed_request()), dropping, found);
  const Task second = wait_for(held_client().commit_async(seed_request()), dropping, found);
  answer();
  EXPECT_FALSE(first.done());
  EXPECT_FALSE(second.done());
}

TEST_F(Coroutine, EndsItsWaitWhereTheClientIsDestroyed) {
  Found found;
  std::optional<BonusCommitClient> destroyed(client(held_));
  held_.reset();
  const Task task = wait_for(destroyed->commit_async(seed_request()), found);
  EXPECT_FALSE(task.done());
  destroyed.reset();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(found.result.error().transport_fault, TransportFault::shut_down);
}

TEST_F(Coroutine, MayDestroyTheClientItWaitsFor) {
  const auto coroutine = [](BonusCommitClient with) -> Detached { (void)co_await with.commit_async(seed_request()); };
  coroutine(client(held_));
  const auto complete = held_->completions.at(0);
  const std::weak_ptr<Transport> transport = std::exchange(held_, nullptr);
  EXPECT_FALSE(transport.expired());
  complete(refusal());
  EXPECT_EQ(ended_, 1);
  EXPECT_TRUE(transport.expired());
}

TEST_F(Coroutine, EndsItsWaitWhenItsCommitIsStopped) {
  Found before;
  Found meanwhile;
  const BonusCommitClient waiting = client(held_);
  CommitFuture future = waiting.commit_async(seed_request());
  future.request_stop();
  const Task first = wait_for(std::move(future), before);

  const StopSource stop;
  const Task second = wait_for(waiting.commit_async(seed_request(), {.stop = stop.get_token()}), meanwhile);
  EXPECT_FALSE(held_->options[1].stop.stop_requested());
  stop.request_stop();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(held_->options[i].stop.stop_requested());
    held_->completions[i](transport_error(TransportFault::cancelled, Outcome::not_sent, "given up"));
  }
  EXPECT_EQ(before.result.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(meanwhile.result.error().kind, ErrorKind::cancelled);
}

TEST_F(Coroutine, GetsMisuseWhereThereIsNothingToWaitFor) {
  Found empty;
  Found with_executor;
  const Task first = wait_for(CommitFuture(), empty);
  const Task second = wait_for(CommitFuture(), loop(), with_executor);
  EXPECT_EQ(empty.result.error().kind, ErrorKind::misuse);
  EXPECT_EQ(with_executor.resumptions, 0);
  run_loop();
  EXPECT_EQ(with_executor.result.error().kind, ErrorKind::misuse);

  std::vector<bool> results;
  const auto twice = [](CommitFuture future, std::vector<bool>& succeeded) -> Task {
    CommitAwaiter awaiter(std::move(future));
    for (int i = 0; i < 2; ++i) {
      const CommitResult result = co_await awaiter;
      succeeded.push_back(result.has_value());
    }
  };
  const Task third = twice(instant_client().commit_async(seed_request()), results);
  EXPECT_EQ(results, (std::vector<bool>{true, false}));
}

TEST_F(Coroutine, KeepsItsExecutorUntilTheCommitEndsAndNoLonger) {
  const auto pool = std::make_shared<int>();
  const auto coroutine = [](CommitFuture future, std::shared_ptr<void> owned) -> Task {
    const auto executor = [owned = std::exchange(owned, nullptr)](const std::function<void()>& resume) { resume(); };
    (void)co_await resume_on(executor, std::move(future));
  };
  {
    const Task destroyed = coroutine(held_client().commit_async(seed_request()), pool);
    const Task resumed = coroutine(held_client().commit_async(seed_request()), pool);
  }
  EXPECT_EQ(pool.use_count(), 3) << "the calls'";
  answer();
  EXPECT_EQ(pool.use_count(), 1);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

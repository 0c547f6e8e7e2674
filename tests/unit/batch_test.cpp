// A backlog is committed with at most the given number of calls in progress. Each result is passed to the callback. It
// stops when requested.
#include "wechatpay/bonus_commit/batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <future>
#include <list>
#include <map>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// Answers from its own thread, and records how many requests were in progress at the same time.
class ThreadedTransport final : public Transport {
 public:
  explicit ThreadedTransport(FakeWechatPay& wechat_pay) : wechat_pay_(wechat_pay), thread_([this] { serve(); }) {}
  ~ThreadedTransport() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void send(HttpRequest request, SendOptions, Completion done) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.emplace_back(std::move(request), std::move(done));
    most_ = std::max(most_, waiting_.size());
    changed_.notify_all();
  }

  std::size_t most() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return most_;
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      auto next = std::move(waiting_.front());
      lock.unlock();
      auto answer = wechat_pay_.answer(next.first);
      lock.lock();
      waiting_.pop_front();
      lock.unlock();
      next.second(std::move(answer));
      lock.lock();
    }
  }

  FakeWechatPay& wechat_pay_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<HttpRequest, Completion>> waiting_;
  std::size_t most_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

/// Keeps the first requests until the test answers them. Answers all others from its own thread.
class SlowTransport final : public Transport {
 public:
  SlowTransport(FakeWechatPay& wechat_pay, std::size_t slow)
      : wechat_pay_(wechat_pay), slow_(slow), rest_(wechat_pay) {}

  void send(HttpRequest request, SendOptions options, Completion done) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++sent_;
      changed_.notify_all();
      if (sent_ <= slow_) {
        kept_.emplace_back(std::move(request), std::move(done));
        return;
      }
    }
    rest_.send(std::move(request), std::move(options), std::move(done));
  }

  /// Waits until `sent` requests have been sent.
  void wait_for(std::size_t sent) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return sent_ >= sent; });
  }

  void answer_all() {
    for (const auto& [request, done] : kept_) done(wechat_pay_.answer(request));
  }

 private:
  FakeWechatPay& wechat_pay_;
  const std::size_t slow_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<HttpRequest, Completion>> kept_;
  std::size_t sent_ = 0;
  ThreadedTransport rest_;
};

class BatchOfCommits : public ::testing::Test {
 protected:
  BatchOfCommits() : transport_(std::make_shared<ThreadedTransport>(wechat_pay_)) {}

  BonusCommitClient client(const ClientOptions& options = {}) {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options)
        .value();
  }

  /// A client whose rate limit allows only a few calls before their deadline.
  BonusCommitClient limited_client(double per_second) {
    ClientOptions options;
    options.rate_limit = {per_second, 1};
    options.timeout = std::chrono::milliseconds(500);
    return client(options);
  }

  /// Orders 1 to `count`.
  NextRequest orders(int count) {
    return [this, count]() -> std::optional<BonusCommitRequest> {
      if (given_ == count) return std::nullopt;
      BonusCommitRequest request = seed_request();
      request.out_trade_no = std::to_string(++given_);
      return request;
    };
  }

  TakeResult note() {
    return [this](const BonusCommitRequest& request, const CommitResult& result) {
      EXPECT_TRUE(result);
      ++results_[request.out_trade_no];
      return true;
    };
  }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<Transport> transport_;
  int given_ = 0;
  std::map<std::string, int> results_;
};

TEST_F(BatchOfCommits, CommitsEverythingOnceAndHandsOverEachResult) {
  for (const unsigned threads : {1U, 3U}) {
    given_ = 0;
    results_.clear();
    BatchOptions options;
    options.max_in_flight = 5;
    options.threads = threads;
    const BatchSummary summary = commit_all(client(), orders(100), note(), options).value();
    EXPECT_EQ(summary.credited, 100U);
    EXPECT_EQ(summary.failed, 0U);
    EXPECT_FALSE(summary.stopped);
    EXPECT_EQ(results_.size(), 100U);
    for (const auto& [order, times] : results_) EXPECT_EQ(times, 1) << order;
  }
  EXPECT_EQ(wechat_pay_.committed().size(), 100U);
}

TEST_F(BatchOfCommits, KeepsNoMoreUnderWayThanItMay) {
  BatchOptions options;
  options.max_in_flight = 3;
  options.threads = 2;
  ASSERT_TRUE(commit_all(client(), orders(50), note(), options));
  EXPECT_LE(dynamic_cast<ThreadedTransport&>(*transport_).most(), 3U);
}

TEST_F(BatchOfCommits, GoesOnWithTheFirstFreePlaceWhileAllOthersAreSlow) {
  const auto slow = std::make_shared<SlowTransport>(wechat_pay_, 63);
  transport_ = slow;
  std::thread last([&] {
    slow->wait_for(200);
    slow->answer_all();
  });
  EXPECT_EQ(commit_all(client(), orders(200), note()).value().credited, 200U);
  last.join();
}

TEST_F(BatchOfCommits, StopsWhileNoPlaceIsFree) {
  const auto slow = std::make_shared<SlowTransport>(wechat_pay_, 64);
  transport_ = slow;
  const StopSource stop;
  BatchOptions options;
  options.stop = stop.get_token();
  std::thread stopper([&] {
    slow->wait_for(64);
    stop.request_stop();
    slow->answer_all();
  });
  const BatchSummary summary = commit_all(client(), orders(1000), note(), options).value();
  stopper.join();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.credited, 64U);
  EXPECT_EQ(given_, 64);
}

TEST_F(BatchOfCommits, StopsWhenAResultSaysSo) {
  BatchOptions options;
  options.max_in_flight = 2;
  int taken = 0;
  const BatchSummary summary =
      commit_all(
          client(), orders(1000), [&](const auto&, const auto&) { return ++taken < 10; }, options)
          .value();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.credited, static_cast<std::uint64_t>(taken));
  EXPECT_LE(given_, 12);
}

TEST_F(BatchOfCommits, StopsWhenItIsAskedTo) {
  BatchOptions options;
  options.max_in_flight = 2;
  const StopSource stop;
  options.stop = stop.get_token();
  int taken = 0;
  const BatchSummary summary = commit_all(
                                   client(), orders(1000),
                                   [&](const auto&, const auto&) {
                                     if (++taken == 10) stop.request_stop();
                                     return true;
                                   },
                                   options)
                                   .value();
  EXPECT_TRUE(summary.stopped);
  EXPECT_LE(given_, 12);
  EXPECT_EQ(taken, given_) << "what was under way has ended and was handed over";
}

TEST_F(BatchOfCommits, TakesNothingWhereTheStopWasRequestedBefore) {
  const StopSource stop;
  stop.request_stop();
  BatchOptions options;
  options.stop = stop.get_token();
  const BatchSummary summary = commit_all(client(), orders(3), note(), options).value();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(given_, 0);
}

TEST_F(BatchOfCommits, TakesFunctionsThatCannotBeCopied) {
  auto next = [left = std::make_unique<int>(3)]() -> std::optional<BonusCommitRequest> {
    if ((*left)-- == 0) return std::nullopt;
    return seed_request();
  };
  auto take = [owned = std::make_unique<bool>(true)](const auto&, const auto&) { return *owned; };
  EXPECT_EQ(commit_all(client(), std::move(next), std::move(take)).value().credited, 3U);
}

TEST_F(BatchOfCommits, CountsWhatFails) {
  int number = 0;
  const BatchSummary summary = commit_all(
                                   client(),
                                   [&]() -> std::optional<BonusCommitRequest> {
                                     if (++number > 4) return std::nullopt;
                                     BonusCommitRequest request = seed_request();
                                     request.bonus_value = number % 2;
                                     return request;
                                   },
                                   [](const auto&, const auto&) { return true; })
                                   .value();
  EXPECT_EQ(summary.credited, 2U);
  EXPECT_EQ(summary.failed, 2U);
}

TEST_F(BatchOfCommits, PassesOnAnExceptionOfItsSourceAndLosesNoResult) {
  int number = 0;
  int taken = 0;
  const auto broken = [&]() -> std::optional<BonusCommitRequest> {
    if (++number == 5) throw std::runtime_error("the file is damaged");
    return seed_request();
  };
  const auto take = [&](const auto&, const auto&) {
    ++taken;
    return true;
  };
  EXPECT_THROW(static_cast<void>(commit_all(client(), broken, take)), std::runtime_error);
  EXPECT_EQ(taken, 4);
}

TEST_F(BatchOfCommits, TakesAnExceptionOfItsTakerForTheWishToStop) {
  const BatchSummary summary = commit_all(client(), orders(1000), [](const auto&, const auto&) -> bool {
                                 throw std::runtime_error("full");
                               }).value();
  EXPECT_TRUE(summary.stopped);
  EXPECT_LT(given_, 1000);
}

TEST_F(BatchOfCommits, WorksWithATransportThatCompletesAtOnce) {
  auto mock = std::make_shared<MockTransport>();
  mock->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  transport_ = mock;
  BatchOptions options;
  options.max_in_flight = 1;
  EXPECT_EQ(commit_all(client(), orders(10), note(), options)->credited, 10U);
}

TEST_F(BatchOfCommits, KeepsWhatTheRateLimitLeavesNoRoomFor) {
  const auto limited = limited_client(20);
  const BatchSummary summary = commit_all(limited, orders(20), note()).value();
  EXPECT_EQ(summary.credited, 20U);
  EXPECT_EQ(summary.failed, 0U);
  EXPECT_EQ(results_.size(), 20U);
  for (const auto& [order, times] : results_) EXPECT_EQ(times, 1) << order;
}

TEST_F(BatchOfCommits, TakesAboutAsLongAsTheRateLimitSays) {
  const auto limited = limited_client(20);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(commit_all(limited, orders(15), note()).value().credited, 15U);
  const auto taken = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(taken, std::chrono::milliseconds(14 * 50));
  EXPECT_LT(taken, std::chrono::seconds(20)) << "0.7 s, and what a busy machine adds";
}

TEST_F(BatchOfCommits, LeavesEachCommitItsWholeDeadline) {
  auto mock = std::make_shared<MockTransport>();
  mock->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  transport_ = mock;
  EXPECT_EQ(commit_all(limited_client(6), orders(5), note()).value().credited, 5U);
  for (const SendOptions& options : mock->send_options()) {
    EXPECT_EQ(options.delay.count(), 0) << "it has waited before its deadline began";
    EXPECT_GT(options.deadline.count(), 0);
  }
}

TEST_F(BatchOfCommits, EndsWhereNoCallCanMeetItsDeadline) {
  class TimingOut final : public Transport {
    void send(HttpRequest, SendOptions, Completion done) override {
      done(transport_error(TransportFault::timeout, Outcome::not_sent, "not even a connection"));
    }
  };
  transport_ = std::make_shared<TimingOut>();
  ClientOptions options;
  options.timeout = std::chrono::milliseconds(1);
  const auto expect_timeout = [](const BonusCommitRequest&, const CommitResult& result) {
    EXPECT_EQ(result.error().kind, ErrorKind::transport_failed) << result.error().message;
    EXPECT_EQ(result.error().transport_fault, TransportFault::timeout);
    return true;
  };
  EXPECT_EQ(commit_all(client(options), orders(100), expect_timeout).value().failed, 100U);
}

TEST_F(BatchOfCommits, WaitsForTheEndOfAHaltAfterA429) {
  auto mock = std::make_shared<MockTransport>();
  mock->then(
      [this](const HttpRequest& request) { return wechat_pay_.error(429, "FREQUENCY_LIMITED", "too fast", request); });
  mock->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  transport_ = mock;
  ClientOptions options;
  options.retry.max_tries = 1;
  options.timeout = std::chrono::milliseconds(500);
  options.rate_limit.longest_pause = std::chrono::milliseconds(700);
  const auto take = [](const BonusCommitRequest&, const CommitResult&) { return true; };
  const BatchSummary summary = commit_all(client(options), orders(4), take).value();
  EXPECT_EQ(summary.failed, 1U);
  EXPECT_EQ(summary.credited, 3U);
}

TEST_F(BatchOfCommits, HandsOverWhatWaitedForItsPlaceWhenItIsStopped) {
  int told = 0;
  ClientOptions options;
  options.rate_limit = {0.001, 1};
  options.hooks.on_call = [&told](const CallEvent& event) {
    if (event.result) return;
    EXPECT_EQ(event.result.error().kind, ErrorKind::rate_limited);
    EXPECT_EQ(event.tries, 0);
    EXPECT_EQ(event.out_trade_no, std::to_string(++told + 1));
  };
  const auto limited = client(options);
  BatchOptions batch_options;
  batch_options.max_in_flight = 4;
  const StopSource stop;
  batch_options.stop = stop.get_token();
  int rate_limited = 0;
  const auto take = [&](const BonusCommitRequest&, const CommitResult& result) {
    if (result) stop.request_stop();
    if (!result && result.error().kind == ErrorKind::rate_limited) ++rate_limited;
    return true;
  };
  const BatchSummary summary = commit_all(limited, orders(1000), take, batch_options).value();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.credited, 1U);
  EXPECT_EQ(rate_limited, given_ - 1) << "none is lost";
  EXPECT_EQ(told, rate_limited);
}

TEST_F(BatchOfCommits, WakesForAStopWhileItWaitsForItsPlace) {
  const auto limited = limited_client(0.001);
  const StopSource stop;
  BatchOptions options;
  options.max_in_flight = 1;
  options.stop = stop.get_token();
  std::promise<void> waits;
  NextRequest next = orders(1000);
  const auto note_second = [&] {
    if (given_ == 1) waits.set_value();
    return next();
  };
  std::thread stopper([&] {
    waits.get_future().wait();
    stop.request_stop();
  });
  const auto take = [](const BonusCommitRequest&, const CommitResult&) { return true; };
  const BatchSummary summary = commit_all(limited, note_second, take, options).value();
  stopper.join();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.credited, 1U);
  EXPECT_EQ(given_, 2);
}

TEST_F(BatchOfCommits, TakesARange) {
  std::vector<BonusCommitRequest> requests(3, seed_request());
  for (std::size_t i = 0; i < 3; ++i) requests[i].out_trade_no = "order-" + std::to_string(i);
  const auto take = [](const BonusCommitRequest&, const CommitResult&) { return true; };
  EXPECT_EQ(commit_all(client(), requests, take).value().credited, 3U);
  const std::list<BonusCommitRequest> others(requests.begin(), requests.end());
  EXPECT_EQ(commit_all(client(), others, take).value().credited, 3U);
  for (const BonusCommitRequest& request : requests) {
    EXPECT_EQ(wechat_pay_.times_committed(request.out_trade_no), 2U);
  }
}

TEST_F(BatchOfCommits, RefusesWhatCannotWorkAndTakesNothing) {
  BatchOptions none_in_flight;
  none_in_flight.max_in_flight = 0;
  BatchOptions no_threads;
  no_threads.threads = 0;
  for (const auto& [options, name] : {std::pair(none_in_flight, "max_in_flight"), std::pair(no_threads, "threads")}) {
    const auto summary = commit_all(client(), orders(1), note(), options);
    ASSERT_FALSE(summary);
    EXPECT_EQ(summary.error().kind, ErrorKind::invalid_configuration);
    EXPECT_TRUE(contains(summary.error().message, name)) << summary.error().message;
  }
  EXPECT_EQ(commit_all(client(), NextRequest(), note()).error().kind, ErrorKind::misuse);
  EXPECT_EQ(commit_all(client(), orders(1), TakeResult()).error().kind, ErrorKind::misuse);
  std::promise<ErrorKind> in_callback;
  const BonusCommitClient shared = client();  // keeps the transport alive, so that its own thread does not destroy it
  shared.commit_async(seed_request(), [&](const CommitResult&) {
    in_callback.set_value(commit_all(shared, orders(1), note()).error().kind);
  });
  EXPECT_EQ(in_callback.get_future().get(), ErrorKind::misuse);
  EXPECT_EQ(given_, 0);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

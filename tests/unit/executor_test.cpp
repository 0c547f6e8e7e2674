// Further tries are signed on the thread of ClientOptions::executor or of commit(). Each call ends exactly once,
// whatever an executor does with its tasks.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using Task = std::function<void()>;

/// Records the threads on which it signs for calls.
class NotingSigner final : public Signer {
 public:
  Result<std::string> sign(std::string_view) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.push_back(std::this_thread::get_id());
    return std::string(256, 's');
  }

  std::vector<std::thread::id> threads() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return threads_;
  }

  /// Forgets the signatures so far, which only checked the key.
  void forget() {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.clear();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::thread::id> threads_;
};

/// Answers each request from a new thread.
class AnsweringTransport final : public Transport {
 public:
  using Answer = std::function<HttpResponse(const HttpRequest&)>;

  explicit AnsweringTransport(Answer answer) : answer_(std::move(answer)) {}
  ~AnsweringTransport() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void send(HttpRequest request, SendOptions, Completion done) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.emplace_back([this, request = std::move(request), done = std::move(done)] { done(answer_(request)); });
  }

 private:
  const Answer answer_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

/// Runs `code` on a new thread, and returns that thread's id.
template <typename Code>
std::thread::id elsewhere(const Code& code) {
  std::thread thread(code);
  const std::thread::id id = thread.get_id();
  thread.join();
  return id;
}

class FurtherTries : public ::testing::Test {
 protected:
  FurtherTries() {
    options_.retry.first_backoff = options_.retry.longest_backoff = std::chrono::milliseconds(0);
    options_.executor = [this](Task task) { tasks_.push_back(std::move(task)); };
  }

  BonusCommitClient client(std::shared_ptr<Transport> transport, std::shared_ptr<const Signer> signer) const {
    auto credentials = Credentials::from_signer("1900000001", "ABCDEF", std::move(signer));
    auto made =
        BonusCommitClient::create(credentials.value(), wechat_pay_.platform_keys(), std::move(transport), options_);
    signer_->forget();
    return std::move(made).value();
  }

  /// Starts a call that waits for the transport's first answer.
  void begin() {
    client_ = client(held_, signer_);
    client_->commit_async(seed_request(), [this](CommitResult result) { results_.push_back(std::move(result)); });
    ASSERT_EQ(held_->requests.size(), 1U);
  }

  HttpResponse failure(const HttpRequest& request) const {
    return wechat_pay_.error(500, "SYSTEM_ERROR", "try again", request);
  }
  HttpResponse success(const HttpRequest& request) const { return wechat_pay_.sign({204, {}, ""}, request); }

  void fail(std::size_t number) const { held_->completions[number](failure(held_->requests[number])); }
  void succeed(std::size_t number) const { held_->completions[number](success(held_->requests[number])); }

  void run_task() {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }

  /// Expects that the call has ended exactly once, with the error of its first try and with `why`.
  void expect_end_without_next_try(const std::string& why) const {
    ASSERT_EQ(results_.size(), 1U);
    ASSERT_FALSE(results_[0]);
    const Error& error = results_[0].error();
    EXPECT_EQ(error.kind, ErrorKind::api_error);
    EXPECT_EQ(error.http_status(), 500);
    EXPECT_EQ(error.outcome, Outcome::unknown);
    EXPECT_EQ(error.remedy, Remedy::retry_later);
    EXPECT_EQ(error.tries.size(), 1U);
    EXPECT_TRUE(contains(error.message, why)) << error.message;
    EXPECT_EQ(held_->requests.size(), 1U) << "nothing was sent again";
  }

  FakeWechatPay wechat_pay_;
  ClientOptions options_;
  std::shared_ptr<HeldTransport> held_ = std::make_shared<HeldTransport>();
  std::shared_ptr<NotingSigner> signer_ = std::make_shared<NotingSigner>();
  std::deque<Task> tasks_;
  std::vector<CommitResult> results_;
  std::optional<BonusCommitClient> client_;  // destroyed before the members that it refers to
};

TEST_F(FurtherTries, AreSignedWhereTheExecutorRunsThem) {
  begin();
  elsewhere([&] { fail(0); });
  EXPECT_EQ(signer_->threads(), std::vector<std::thread::id>{std::this_thread::get_id()})
      << "the first try on the caller's thread, the second one not where its answer came";
  EXPECT_TRUE(results_.empty());
  ASSERT_EQ(tasks_.size(), 1U);
  const std::thread::id pool = elsewhere([&] { run_task(); });
  ASSERT_EQ(signer_->threads().size(), 2U);
  EXPECT_EQ(signer_->threads()[1], pool);
  ASSERT_EQ(held_->requests.size(), 2U);
  succeed(1);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].value().tries, 2);
  EXPECT_TRUE(tasks_.empty());
}

TEST_F(FurtherTries, AreAllThatTheExecutorIsAskedFor) {
  begin();
  succeed(0);
  EXPECT_EQ(results_.size(), 1U);
  EXPECT_TRUE(tasks_.empty());
}

TEST_F(FurtherTries, WithoutAnExecutorAreSignedWhereTheAnswerComes) {
  options_.executor = nullptr;
  begin();
  const std::thread::id transport = elsewhere([&] { fail(0); });
  ASSERT_EQ(signer_->threads().size(), 2U);
  EXPECT_EQ(signer_->threads()[1], transport);
}

TEST_F(FurtherTries, OfACommitThatWaitsAreSignedOnItsThread) {
  std::atomic<int> answered{0};
  const auto transport = std::make_shared<AnsweringTransport>(
      [&](const HttpRequest& request) { return ++answered < 3 ? failure(request) : success(request); });
  const CommitResult result = client(transport, signer_).commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(signer_->threads(), std::vector<std::thread::id>(3, std::this_thread::get_id()));
  EXPECT_TRUE(tasks_.empty()) << "the executor is not for it";
}

TEST_F(FurtherTries, OfABatchAreSignedWhereTheExecutorRunsThem) {
  std::atomic<int> answered{0};
  const auto transport = std::make_shared<AnsweringTransport>(
      [&](const HttpRequest& request) { return ++answered == 1 ? failure(request) : success(request); });
  std::vector<std::thread> pool;  // one thread, because one try fails
  options_.executor = [&pool](Task task) { pool.emplace_back(std::move(task)); };
  const std::vector<BonusCommitRequest> requests{seed_request()};
  const auto take = [](const BonusCommitRequest&, const CommitResult&) { return true; };
  EXPECT_EQ(commit_all(client(transport, signer_), requests, take).value().credited, 1U);
  ASSERT_EQ(pool.size(), 1U);
  EXPECT_EQ(signer_->threads(), (std::vector<std::thread::id>{std::this_thread::get_id(), pool[0].get_id()}));
  pool[0].join();
}

TEST_F(FurtherTries, ThatTheExecutorDropsEndTheirCall) {
  options_.executor = [](const Task&) {};
  begin();
  fail(0);
  expect_end_without_next_try("ClientOptions::executor dropped the next try");
}

TEST_F(FurtherTries, ThatTheExecutorDropsLaterEndTheirCall) {
  begin();
  fail(0);
  EXPECT_TRUE(results_.empty());
  tasks_.clear();
  expect_end_without_next_try("ClientOptions::executor dropped the next try");
}

TEST_F(FurtherTries, EndTheirCallWhereTheExecutorThrows) {
  options_.executor = [](const Task&) { throw std::runtime_error("the queue is full"); };
  begin();
  fail(0);
  expect_end_without_next_try("ClientOptions::executor threw: the queue is full");
}

TEST_F(FurtherTries, EndTheirCallWhereTheExecutorThrowsWhatIsNoException) {
  options_.executor = [](const Task&) { throw 1; };
  begin();
  fail(0);
  expect_end_without_next_try("ClientOptions::executor threw what is no std::exception");
}

TEST_F(FurtherTries, AreNotSignedWhereTheExecutorThrowsAndKeepsThem) {
  options_.executor = [this](Task task) {
    tasks_.push_back(std::move(task));
    throw std::runtime_error("no thread");
  };
  begin();
  fail(0);
  run_task();
  expect_end_without_next_try("no thread");
  EXPECT_EQ(signer_->threads().size(), 1U);
}

TEST_F(FurtherTries, GoOnWhereTheExecutorRunsThemAtOnce) {
  options_.executor = [](Task task) { task(); };
  begin();
  fail(0);
  ASSERT_EQ(held_->requests.size(), 2U);
  fail(1);
  ASSERT_EQ(held_->requests.size(), 3U);
  succeed(2);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].value().tries, 3);
}

TEST_F(FurtherTries, GoOnWhereTheExecutorRunsThemAndThrows) {
  options_.executor = [](Task task) {
    task();
    throw std::runtime_error("too late");
  };
  begin();
  fail(0);
  EXPECT_TRUE(results_.empty());
  ASSERT_EQ(held_->requests.size(), 2U);
  succeed(1);
  EXPECT_EQ(results_.size(), 1U);
}

TEST_F(FurtherTries, DoNothingTheSecondTimeTheyRun) {
  begin();
  fail(0);
  tasks_.front()();
  tasks_.front()();
  EXPECT_EQ(held_->requests.size(), 2U);
  EXPECT_TRUE(results_.empty());
}

TEST_F(FurtherTries, ThatWaitEndWithTheClientAndDoNothingAfterwards) {
  begin();
  fail(0);
  client_.reset();
  ASSERT_EQ(results_.size(), 1U) << "before the client's end";
  EXPECT_EQ(results_[0].error().transport_fault, TransportFault::shut_down);
  EXPECT_EQ(results_[0].error().outcome, Outcome::unknown);
  run_task();
  EXPECT_EQ(results_.size(), 1U);
  EXPECT_EQ(held_->requests.size(), 1U);
  EXPECT_EQ(signer_->threads().size(), 1U);
}

TEST_F(FurtherTries, EndWithTheClientThatTheExecutorDestroys) {
  options_.executor = [this](Task task) {
    client_.reset();
    task();
  };
  begin();
  fail(0);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].error().transport_fault, TransportFault::shut_down);
  EXPECT_EQ(held_->requests.size(), 1U);
}

TEST_F(FurtherTries, ThatNobodyRunsKeepNoClientAlive) {
  const auto queue = std::make_shared<std::deque<Task>>();
  const std::weak_ptr<std::deque<Task>> watched = queue;
  options_.executor = [queue](Task task) { queue->push_back(std::move(task)); };
  begin();
  options_.executor = nullptr;
  fail(0);
  EXPECT_EQ(queue->size(), 1U);
  const_cast<std::shared_ptr<std::deque<Task>>&>(queue).reset();
  EXPECT_FALSE(watched.expired()) << "the client's options have it";
  client_.reset();
  held_->completions.clear();
  EXPECT_TRUE(watched.expired());
}

/// Signs at once until `hesitates` is set. Then it signals that it is signing, and waits.
class HesitatingSigner final : public Signer {
 public:
  Result<std::string> sign(std::string_view) const override {
    if (hesitates) {
      works.set_value();
      go_on.get_future().wait();
    }
    return std::string(256, 's');
  }

  std::atomic<bool> hesitates{false};
  mutable std::promise<void> works;
  mutable std::promise<void> go_on;
};

TEST_F(FurtherTries, ThatRunAreWaitedForByTheClientsEnd) {
  const auto signer = std::make_shared<HesitatingSigner>();
  auto one = std::make_optional(client(held_, signer));
  one->commit_async(seed_request(), [this](CommitResult result) { results_.push_back(std::move(result)); });
  fail(0);
  signer->hesitates = true;
  std::atomic<bool> let_go{false};
  std::thread pool([this] { run_task(); });
  signer->works.get_future().wait();
  std::thread destroyer([&] {
    one.reset();
    EXPECT_TRUE(let_go);
    EXPECT_EQ(results_.size(), 1U);
  });
  let_go = true;
  signer->go_on.set_value();
  destroyer.join();
  pool.join();
}

TEST_F(FurtherTries, AreTheParentsAloneAfterAFork) {
  begin();
  fail(0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    tasks_.front()();
    tasks_.clear();
    _exit(results_.empty() && held_->requests.size() == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  run_task();
  ASSERT_EQ(held_->requests.size(), 2U);
  succeed(1);
  EXPECT_EQ(results_.size(), 1U);
}

/// Keeps each request and never answers.
class SilentTransport final : public Transport {
 public:
  void send(HttpRequest request, SendOptions, Completion done) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(std::move(request));
    completions_.push_back(std::move(done));
  }

  std::vector<Completion> completions() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return completions_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::vector<Completion> completions_;
};

TEST_F(FurtherTries, EndOnceWhileThreadsRunAndDropThemAndTheClientEnds) {
  constexpr int calls = 8;
  std::mutex mutex;
  std::deque<Task> tasks;
  options_.executor = [&](Task task) {
    const std::lock_guard<std::mutex> lock(mutex);
    tasks.push_back(std::move(task));
  };
  const auto next = [&]() -> Task {
    const std::lock_guard<std::mutex> lock(mutex);
    if (tasks.empty()) return {};
    Task task = std::move(tasks.front());
    tasks.pop_front();
    return task;
  };
  for (int round = 0; round < 50; ++round) {
    const auto transport = std::make_shared<SilentTransport>();
    std::atomic<int> ended{0};
    auto one = std::make_optional(client(transport, signer_));
    for (int i = 0; i < calls; ++i) {
      one->commit_async(seed_request(), [&ended](const CommitResult&) { ++ended; });
    }
    std::vector<std::thread> threads;
    threads.emplace_back([completions = transport->completions()] {
      for (const auto& complete : completions) complete(HttpResponse{500, {}, ""});
    });
    for (const bool runs : {true, false}) {
      threads.emplace_back([&next, runs] {
        while (Task task = next()) {
          if (runs) task();
        }
      });
    }
    one.reset();
    EXPECT_EQ(ended, calls);
    for (std::thread& thread : threads) thread.join();
    while (Task task = next()) task();
    EXPECT_EQ(ended, calls);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

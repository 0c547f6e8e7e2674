// One client that several threads use at once, by all of its members. ThreadSanitizer, which the matrix runs these
// tests under, finds data races; the test itself finds calls that are lost, or that end twice.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/detached.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/coroutine.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr int calls_of_each = 10;  ///< the calls of each thread

BonusCommitRequest order_of(const std::string& thread, int number) {
  BonusCommitRequest request = seed_request();
  request.out_trade_no = thread + "-" + std::to_string(number);
  return request;
}

/// How often each order's call has ended, and with which errors.
class EndedCalls {
 public:
  void add(const std::string& out_trade_no, const CommitResult& result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++ends_[out_trade_no];
    ++count_;
    if (!result) errors_.push_back(result.error());
    changed_.notify_all();
  }

  /// Waits until `count` calls have ended. False after two minutes.
  bool wait_for(std::size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(2), [&] { return count_ >= count; });
  }

  std::map<std::string, int> ends() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ends_;
  }

  std::vector<Error> errors() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return errors_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> ends_;
  std::size_t count_ = 0;
  std::vector<Error> errors_;
};

Detached await_commits(const BonusCommitClient& client, EndedCalls& results) {
  for (int i = 0; i < calls_of_each; ++i) {
    const BonusCommitRequest request = order_of("awaited", i);
    const CommitResult result = co_await client.commit_async(request);
    results.add(request.out_trade_no, result);
  }
}

class SharedClient : public ::testing::Test {
 protected:
  SharedClient()
      : sandbox_(Sandbox::start().value()),
        keys_(sandbox_->wechat_pay().platform_keys()),
        client_(
            BonusCommitClient::create(sandbox_->wechat_pay().credentials(), keys_, transport(), options()).value()) {}

  std::shared_ptr<Transport> transport() const {
    CurlOptions trusting;
    trusting.ca_bundle_file = sandbox_->files().ca;
    return CurlTransport::create(trusting).value();
  }

  ClientOptions options() const {
    ClientOptions made;
    made.origins = {sandbox_->origin()};
    return made;
  }

  void commit_blocking() {
    for (int i = 0; i < calls_of_each; ++i) {
      const BonusCommitRequest request = order_of("blocking", i);
      results_.add(request.out_trade_no, client_.commit(request));
    }
  }

  void commit_for_futures() {
    std::map<std::string, CommitFuture> futures;
    for (int i = 0; i < calls_of_each; ++i) {
      const BonusCommitRequest request = order_of("future", i);
      futures.emplace(request.out_trade_no, client_.commit_async(request));
    }
    for (auto& [out_trade_no, future] : futures) results_.add(out_trade_no, future.get());
  }

  void commit_with_callbacks() {
    for (int i = 0; i < calls_of_each; ++i) {
      const BonusCommitRequest request = order_of("callback", i);
      client_.commit_async(
          request, [this, name = request.out_trade_no](const CommitResult& result) { results_.add(name, result); });
    }
  }

  void commit_a_batch() {
    std::vector<BonusCommitRequest> backlog;
    for (int i = 0; i < calls_of_each; ++i) backlog.push_back(order_of("batch", i));
    BatchOptions batch;
    batch.threads = 2;
    const auto take = [this](const BonusCommitRequest& request, const CommitResult& result) {
      results_.add(request.out_trade_no, result);
      return true;
    };
    const auto summary = commit_all(client_, backlog, take, batch);
    EXPECT_TRUE(summary);
    EXPECT_EQ(summary.value_or(BatchSummary()).credited, static_cast<std::uint64_t>(calls_of_each));
  }

  void commit_by_copies() {
    for (int i = 0; i < calls_of_each; ++i) {
      const BonusCommitClient copy = client_;
      const BonusCommitRequest request = order_of("copy", i);
      results_.add(request.out_trade_no, copy.commit(request));
    }
  }

  void stop_calls() {
    for (int i = 0; i < calls_of_each; ++i) {
      const StopSource source;
      CallOptions call;
      call.stop = source.get_token();
      CommitFuture by_token = client_.commit_async(order_of("token", i), call);
      CommitFuture by_future = client_.commit_async(order_of("stopped", i));
      source.request_stop();
      by_future.request_stop();
      stopped_.add("token-" + std::to_string(i), by_token.get());
      stopped_.add("stopped-" + std::to_string(i), by_future.get());
    }
  }

  void renew_credentials() {
    for (int i = 0; i < calls_of_each; ++i) {
      EXPECT_TRUE(client_.renew_credentials(sandbox_->wechat_pay().credentials()));
    }
  }

  void change_keys() {
    const std::string& pem = sandbox_->wechat_pay().certificate_pem();
    for (int i = 0; i < calls_of_each; ++i) {
      const auto added = keys_.add_certificate(pem);
      EXPECT_TRUE(added);
      EXPECT_FALSE(keys_.announced().empty());
      EXPECT_TRUE(keys_.remove(added.value_or("")));
    }
  }

  /// Calls all of `uses` at the same time, each on its own thread, and waits for them.
  static void at_once(const std::vector<std::function<void()>>& uses) {
    std::promise<void> begin;
    const std::shared_future<void> begun = begin.get_future().share();
    std::vector<std::thread> threads;
    for (const auto& use : uses) {
      threads.emplace_back([&use, begun] {
        begun.wait();
        use();
      });
    }
    begin.set_value();
    for (std::thread& thread : threads) thread.join();
  }

  EndedCalls results_;
  EndedCalls stopped_;
  const std::unique_ptr<Sandbox> sandbox_;
  PlatformKeys keys_;
  const BonusCommitClient client_;  // its calls use the members above
};

TEST_F(SharedClient, ServesAllOfItsMembersOnSeveralThreadsAtOnce) {
  at_once({[this] { commit_blocking(); }, [this] { commit_for_futures(); }, [this] { commit_with_callbacks(); },
           [this] { await_commits(client_, results_); }, [this] { commit_a_batch(); }, [this] { commit_by_copies(); },
           [this] { stop_calls(); }, [this] { renew_credentials(); }, [this] { change_keys(); }});
  ASSERT_TRUE(results_.wait_for(6 * calls_of_each));
  for (const Error& error : results_.errors()) ADD_FAILURE() << error.to_string();
  for (const Error& error : stopped_.errors()) EXPECT_EQ(to_string(error.kind), to_string(ErrorKind::cancelled));

  const std::map<std::string, int> ends = results_.ends();
  EXPECT_EQ(ends.size(), static_cast<std::size_t>(6 * calls_of_each));
  for (const auto& [out_trade_no, times] : ends) {
    EXPECT_EQ(times, 1) << out_trade_no;
    EXPECT_GE(sandbox_->wechat_pay().times_committed(out_trade_no), 1U) << out_trade_no;
  }
  const std::map<std::string, int> stops = stopped_.ends();
  EXPECT_EQ(stops.size(), static_cast<std::size_t>(2 * calls_of_each));
  for (const auto& [out_trade_no, times] : stops) EXPECT_EQ(times, 1) << out_trade_no;
}

}  // namespace
}  // namespace wechatpay::bonus_commit

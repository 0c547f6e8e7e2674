#include "wechatpay/bonus_commit/batch.hpp"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "src/commit_call.hpp"

namespace wechatpay {
namespace {

/// What the threads of a batch share.
class Batch {
 public:
  Batch(const BonusCommitClient& client, NextRequest next, TakeResult take, const BatchOptions& options)
      : client_(client), next_(std::move(next)), take_(std::move(take)), options_(options) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  BatchSummary run() {
    std::vector<std::thread> helpers;
    try {
      for (unsigned i = 1; i < options_.threads; ++i) helpers.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      // Those that could be started do all the work.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    return summary_;
  }

 private:
  void work() {
    while (take_place()) {
      auto request = take_request();
      if (request == nullptr) return give_place();
      BonusCommitClient::Callback done;
      try {
        done = [this, request](const CommitResult& result) { end(*request, result); };
      } catch (const std::bad_alloc&) {
        Error error;
        error.message = "out of memory";
        end(*request, std::move(error));
        continue;
      }
      client_.commit_async(*request, std::move(done));
    }
  }

  void end(const BonusCommitRequest& request, const CommitResult& result) {
    take_result(request, result);
    give_place();  // the last thing: the batch may be gone after it
  }

  /// Waits until one more commit may be under way; false when the batch is to end.
  bool take_place() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return ending_ || in_flight_ < options_.max_in_flight; });
    if (!ending_ && options_.stop != nullptr && options_.stop->requested()) {
      ending_ = true;
      summary_.stopped = true;
    }
    if (!ending_) ++in_flight_;
    return !ending_;
  }

  void give_place() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --in_flight_;
    changed_.notify_all();
  }

  /// Null at the end of the backlog, or where its source throws.
  std::shared_ptr<const BonusCommitRequest> take_request() {
    const std::lock_guard<std::mutex> one_at_a_time(source_);
    try {
      if (auto request = next_()) return std::make_shared<const BonusCommitRequest>(*std::move(request));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (failure_ == nullptr) failure_ = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    return nullptr;
  }

  void take_result(const BonusCommitRequest& request, const CommitResult& result) {
    const std::lock_guard<std::mutex> one_at_a_time(sink_);
    bool go_on = false;
    try {
      go_on = take_(request, result);
    } catch (...) {
      // Documented at TakeResult.
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++(result ? summary_.credited : summary_.failed);
    if (go_on || ending_) return;
    ending_ = true;
    summary_.stopped = true;
  }

  const BonusCommitClient& client_;
  const NextRequest next_;
  const TakeResult take_;
  const BatchOptions options_;
  std::mutex source_;  ///< one thread in next_
  std::mutex sink_;    ///< one thread in take_
  std::mutex mutex_;   ///< guards the rest
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  bool ending_ = false;
  BatchSummary summary_;
  std::exception_ptr failure_;
};

}  // namespace

Result<BatchSummary> commit_all(const BonusCommitClient& client, NextRequest next, TakeResult take,
                                const BatchOptions& options) {
  if (options.max_in_flight == 0) return configuration_error("BatchOptions::max_in_flight must be 1 or more");
  if (options.threads == 0) return configuration_error("BatchOptions::threads must be 1 or more");
  if (in_callback()) {
    Error error;
    error.kind = ErrorKind::misuse;
    error.message = "commit_all() was called from a callback, where it would wait for itself";
    return error;
  }
  return Batch(client, std::move(next), std::move(take), options).run();
}

}  // namespace wechatpay

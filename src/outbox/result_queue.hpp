// Passes the results of calls from the transport's thread to the relay's thread.
#ifndef WECHATPAY_SRC_OUTBOX_RESULT_QUEUE_HPP
#define WECHATPAY_SRC_OUTBOX_RESULT_QUEUE_HPP

#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <utility>

namespace wechatpay::bonus_commit::outbox {

/// Thread-safe.
class ResultQueue {
 public:
  using Results = std::list<std::pair<std::uint64_t, CommitResult>>;

  /// Takes over `ended`. Needs no memory, so that no call remains without its result.
  void push(Results& ended) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    results_.splice(results_.end(), ended);
    changed_.notify_one();
  }

  /// Ends one wait().
  void wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }

  Results take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(results_, {});
  }

  /// Waits for a result or wake(), but no longer than until the given time.
  void wait_until(std::chrono::steady_clock::time_point moment) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_until(lock, moment, [this] { return woken_ || !results_.empty(); });
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Results results_;
  bool woken_ = false;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

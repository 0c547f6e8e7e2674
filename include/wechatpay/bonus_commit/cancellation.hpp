/// A wish, from any thread, that something under way should end.
#ifndef WECHATPAY_BONUS_COMMIT_CANCELLATION_HPP
#define WECHATPAY_BONUS_COMMIT_CANCELLATION_HPP

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace wechatpay {

/// Shared by the one who may cancel and the one who does the work. Thread-safe.
class Cancellation {
 public:
  /// The first time, calls the listener on this thread.
  void request() noexcept {
    if (requested_.exchange(true)) return;
    notify();
  }

  bool requested() const noexcept { return requested_; }

  /// From now on `listener`, which must not throw, is the one that is called; at once where the request is already
  /// there.
  void listen(std::function<void()> listener) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      listener_ = std::move(listener);
    }
    if (requested_) notify();
  }

 private:
  void notify() noexcept {
    std::function<void()> listener;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      listener.swap(listener_);
    }
    if (listener) listener();
  }

  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  std::function<void()> listener_;
};

}  // namespace wechatpay

#endif

/// What happens once, and the one who wants to hear of it.
#ifndef WECHATPAY_BONUS_COMMIT_ONE_SHOT_HPP
#define WECHATPAY_BONUS_COMMIT_ONE_SHOT_HPP

#include <atomic>
#include <functional>
#include <mutex>

namespace wechatpay {

/// \addtogroup stages
/// @{

/// Shared by the one who lets it happen and the one who listens. Thread-safe. A listener is called outside of the lock
/// and may let go of this object.
class OneShot {
 public:
  /// The first time, calls the listener on this thread.
  void happen() {
    std::function<void()> listener;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      happened_ = true;
      listener.swap(listener_);
    }
    if (listener) listener();
  }

  /// Whether it has. Without a lock.
  bool happened() const noexcept { return happened_; }

  /// From now on `listener` is the one that is called. Where it has happened already: false, and `listener` is left as
  /// it is.
  [[nodiscard]] bool listen(std::function<void()>& listener) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (happened_) return false;
    listener_.swap(listener);
    return true;
  }

 private:
  std::atomic<bool> happened_{false};
  std::mutex mutex_;
  std::function<void()> listener_;
};

/// @}

}  // namespace wechatpay

#endif

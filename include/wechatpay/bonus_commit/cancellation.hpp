/// A wish, from any thread, that something under way should end.
#ifndef WECHATPAY_BONUS_COMMIT_CANCELLATION_HPP
#define WECHATPAY_BONUS_COMMIT_CANCELLATION_HPP

#include <functional>

#include "wechatpay/bonus_commit/one_shot.hpp"

namespace wechatpay {

/// Shared by the one who may cancel and the one who does the work. Thread-safe.
class Cancellation {
 public:
  /// The first time, calls the listener on this thread.
  void request() noexcept { wish_.happen(); }

  /// Whether it has been asked for.
  bool requested() const noexcept { return wish_.happened(); }

  /// From now on `listener`, which must not throw, is the one that is called; at once where the request is already
  /// there.
  void listen(std::function<void()> listener) {
    if (!wish_.listen(listener) && listener) listener();
  }

 private:
  OneShot wish_;
};

}  // namespace wechatpay

#endif

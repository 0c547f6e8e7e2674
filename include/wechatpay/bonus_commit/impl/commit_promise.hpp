/// What a CommitFuture and its call share.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_PROMISE_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_PROMISE_HPP

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "wechatpay/bonus_commit/commit_future.hpp"
#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Thread-safe.
struct CommitPromise {
  StopSource stop;  ///< the call's

  std::mutex mutex;  ///< guards the rest
  std::condition_variable ended;
  std::optional<CommitResult> result;
  bool taken = false;  ///< the result was
  MoveOnlyFunction<void()> listener;

  /// Once. The listener is called outside of the lock.
  void set(CommitResult given) {
    MoveOnlyFunction<void()> call;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      result.emplace(std::move(given));
      call = std::move(listener);
      ended.notify_all();
    }
    if (call) call();
  }
};

WECHATPAY_BONUS_COMMIT_END

#endif

/// What a CommitFuture, or a waiting commit(), shares with its call.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_PROMISE_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_PROMISE_HPP

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "wechatpay/bonus_commit/commit_future.hpp"
#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Thread-safe. Whoever calls set() or lend() owns it, too.
struct CommitPromise {
  StopSource stop;     ///< the call's stop source
  bool works = false;  ///< the waiting thread also runs the call's tasks; set before the call begins

  std::mutex mutex;  ///< guards the rest
  std::condition_variable ended;
  std::optional<CommitResult> result;
  bool taken = false;  ///< the result was taken
  MoveOnlyFunction<void()> listener;
  MoveOnlyFunction<void()> task;  ///< for the waiting thread

  /// Call once. The listener is called without the lock held.
  void set(CommitResult given) {
    MoveOnlyFunction<void()> call;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      result.emplace(std::move(given));
      call = std::move(listener);
    }
    ended.notify_all();  // without the lock, for which a thread that wakes would have to wait
    if (call) call();
  }

  /// Lets the thread in wait_and_work() run `given`.
  void lend(MoveOnlyFunction<void()> given) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      task = std::move(given);
    }
    ended.notify_all();
  }

  /// Waits for the result and returns it; runs the call's tasks while it waits.
  CommitResult wait_and_work() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      ended.wait(lock, [this] { return result || task; });
      if (result) return *std::move(result);
      MoveOnlyFunction<void()> work = std::move(task);
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

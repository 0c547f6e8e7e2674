/// What a CommitFuture, or a commit() that waits, and its call share.
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
  StopSource stop;     ///< the call's
  bool works = false;  ///< who waits runs the call's tasks, too; set before the call begins

  std::mutex mutex;  ///< guards the rest
  std::condition_variable ended;
  std::optional<CommitResult> result;
  bool taken = false;  ///< the result was
  MoveOnlyFunction<void()> listener;
  MoveOnlyFunction<void()> task;  ///< for who waits

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

  /// Has the thread in wait_and_work() run `given`.
  void lend(MoveOnlyFunction<void()> given) {
    const std::lock_guard<std::mutex> lock(mutex);
    task = std::move(given);
    ended.notify_all();
  }

  /// The result, once it is there; until then, runs the tasks that come.
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

WECHATPAY_BONUS_COMMIT_END

#endif

/// co_await for commits, in C++20. The library itself does not include this header; include it where you need it.
///
///     CommitResult result = co_await client.commit_async(request);
///     CommitResult result = co_await resume_on(executor, client.commit_async(request));
///
/// Works with every coroutine type that can await foreign awaitables. asio::awaitable cannot: use a callback there. A
/// stop (CallOptions::stop) ends the wait early, from any thread.
///
/// With GCC 12 and older, give a name to a request written in braces, and to a lambda with captures, before the
/// co_await. These compilers destroy such temporaries of a co_await expression twice, whatever is awaited.
#ifndef WECHATPAY_BONUS_COMMIT_COROUTINE_HPP
#define WECHATPAY_BONUS_COMMIT_COROUTINE_HPP

#ifndef __cpp_impl_coroutine
#error "wechatpay/bonus_commit/coroutine.hpp needs C++20; in C++17 call commit_async() with a callback"
#endif

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <utility>

#include "wechatpay/bonus_commit/client.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// Resumes a waiting coroutine. Only the first call has an effect, on whichever copy. It does nothing if the coroutine
/// has been destroyed. Throws what the coroutine throws.
class Resumption {
 public:
  /// Resumes nothing before arm().
  Resumption() : coroutine_(std::make_shared<std::atomic<void*>>(nullptr)) {}

  /// Resumes the coroutine on this thread, before it returns.
  void operator()() const {
    if (void* const address = coroutine_->exchange(nullptr)) std::coroutine_handle<>::from_address(address).resume();
  }

  /// A call resumes `coroutine` from now on.
  void arm(std::coroutine_handle<> coroutine) const noexcept { *coroutine_ = coroutine.address(); }

  /// Prevents any later call from resuming the coroutine. Returns false if a call has resumed it already.
  bool withdraw() const noexcept { return coroutine_->exchange(nullptr) != nullptr; }

 private:
  std::shared_ptr<std::atomic<void*>> coroutine_;
};

}  // namespace stages

/// The awaitable for a CommitFuture: see operator co_await and resume_on.
class [[nodiscard]] CommitAwaiter {
 public:
  /// Without an executor, the coroutine resumes on the thread where the commit ends.
  explicit CommitAwaiter(CommitFuture&& future, Executor executor = nullptr)
      : executor_(std::move(executor)),
        listener_([executor = executor_, resume = resume_] {
          if (!executor || !hand_over(executor, resume)) resume();
        }),
        future_(std::move(future)) {}
  CommitAwaiter(const CommitAwaiter&) = delete;
  CommitAwaiter& operator=(const CommitAwaiter&) = delete;
  ~CommitAwaiter() { resume_.withdraw(); }

  /// Always false: await_suspend() checks, under the lock.
  bool await_ready() const noexcept { return false; }

  /// Another thread may resume the coroutine before this function returns. The coroutine's frame, including *this, may
  /// be destroyed by then. Clang before 17 would keep locals in that frame if it inlined this function (llvm-project
  /// issue 56301).
#if defined(__clang__)
  [[gnu::noinline]]
#endif
  bool
  await_suspend(std::coroutine_handle<> coroutine) {
    resume_.arm(coroutine);
    if (future_.on_ready(std::move(listener_))) return true;
    if (!executor_) return false;
    const Executor executor = std::move(executor_);
    const stages::Resumption resume = resume_;
    return hand_over(executor, resume) || !resume.withdraw();
  }

  /// Returns the future's result.
  CommitResult await_resume() { return future_.get(); }

 private:
  /// Returns false if the executor threw, before or after it ran `resume`.
  static bool hand_over(const Executor& executor, const stages::Resumption& resume) noexcept {
    auto run = [&executor, &resume] { executor(resume); };
    return stages::returns_normally([](void* what) { (*static_cast<decltype(run)*>(what))(); }, &run);
  }

  const stages::Resumption resume_;
  Executor executor_;
  MoveOnlyFunction<void()> listener_;  ///< created before suspending, since nothing may throw afterwards
  CommitFuture future_;
};

/// Waits for a commit: `co_await client.commit_async(request)`. If the result is known already, the coroutine continues
/// at once. Otherwise it resumes on the thread that completes the call, by the rules of a callback
/// (BonusCommitClient::Callback): return or suspend quickly, and do not call commit().
///
/// A coroutine may be destroyed while it waits, on the thread that would resume it, or while nothing can resume it. It
/// is then not resumed, and its commit goes on. On another thread, request a stop instead, and let the coroutine end.
///
/// An empty future returns `misuse` (CommitFuture::get()). Throws std::bad_alloc before suspending if there is no
/// memory for the wait; the commit goes on then.
inline CommitAwaiter operator co_await(CommitFuture&& future) { return CommitAwaiter(std::move(future)); }

/// The same, but the coroutine resumes where `executor` runs its task. The executor is called once, on the thread that
/// completes the call, or on the awaiting thread if the result is known already. The executor is copied; use std::ref()
/// if it must not be.
///
/// If the executor throws, the coroutine resumes on the thread that called it. If it drops its task, the coroutine
/// stays suspended until its owner destroys it. If it runs its task inside its own call, the rest of the coroutine
/// runs inside that call: many results in a row that are known already may then overflow the stack. An executor that
/// posts its task avoids this.
inline CommitAwaiter resume_on(Executor executor, CommitFuture&& future) {
  return CommitAwaiter(std::move(future), std::move(executor));
}

WECHATPAY_BONUS_COMMIT_END

#endif

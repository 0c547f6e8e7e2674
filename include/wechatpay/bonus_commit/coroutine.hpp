/// co_await for commits, in C++20; include it where you want it, the library itself does not.
///
///     CommitResult result = co_await client.commit_async(request);
///     CommitResult result = co_await resume_on(executor, client.commit_async(request));
///
/// For every coroutine type that may await what is not its own (asio::awaitable may not: pass a callback there). A stop
/// (CallOptions::stop) makes the await end early, from any thread.
///
/// With GCC 12 and older, give names to a request written in braces and to a lambda with captures before the co_await:
/// these compilers destroy such temporaries of a co_await expression twice, whatever is awaited.
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

/// Resumes a waiting coroutine. The first call counts, on whichever copy; it does nothing where the coroutine has been
/// destroyed. Throws what the coroutine lets out.
class Resumption {
 public:
  /// Goes on with the coroutine on this thread, before it returns.
  void operator()() const {
    if (void* const address = coroutine_->exchange(nullptr)) std::coroutine_handle<>::from_address(address).resume();
  }

 private:
  friend class CommitAwaiter;

  Resumption() : coroutine_(std::make_shared<std::atomic<void*>>(nullptr)) {}

  void arm(std::coroutine_handle<> coroutine) const noexcept { *coroutine_ = coroutine.address(); }

  /// From now on, no call resumes it. False where one has.
  bool withdraw() const noexcept { return coroutine_->exchange(nullptr) != nullptr; }

  std::shared_ptr<std::atomic<void*>> coroutine_;
};

/// What waits for a CommitFuture: see operator co_await and resume_on.
class [[nodiscard]] CommitAwaiter {
 public:
  using Executor = std::function<void(Resumption)>;  ///< runs what it is called with, somewhere

  /// Without an executor, the coroutine goes on where the commit ends.
  explicit CommitAwaiter(CommitFuture&& future, Executor executor = nullptr)
      : executor_(std::move(executor)),
        listener_([executor = executor_, resume = resume_] {
          if (!executor || !hand_over(executor, resume)) resume();
        }),
        future_(std::move(future)) {}
  CommitAwaiter(const CommitAwaiter&) = delete;
  CommitAwaiter& operator=(const CommitAwaiter&) = delete;
  ~CommitAwaiter() { resume_.withdraw(); }

  /// Never: await_suspend() looks, under the lock.
  bool await_ready() const noexcept { return false; }

  /// Another thread may resume the coroutine before this returns, and its frame, with *this, may be gone by then. Clang
  /// before 17 would keep locals in that frame if it inlined this function (llvm-project issue 56301).
#if defined(__clang__)
  [[gnu::noinline]]
#endif
  bool
  await_suspend(std::coroutine_handle<> coroutine) {
    resume_.arm(coroutine);
    if (future_.on_ready(std::move(listener_))) return true;
    if (!executor_) return false;
    const Executor executor = std::move(executor_);
    const Resumption resume = resume_;
    return hand_over(executor, resume) || !resume.withdraw();
  }

  /// The result, as the future has it.
  CommitResult await_resume() { return future_.get(); }

 private:
  /// False where the executor threw, before or after it ran `resume`.
  static bool hand_over(const Executor& executor, const Resumption& resume) noexcept {
    auto run = [&executor, &resume] { executor(resume); };
    return returns_normally([](void* what) { (*static_cast<decltype(run)*>(what))(); }, &run);
  }

  const Resumption resume_;
  Executor executor_;
  MoveOnlyFunction<void()> listener_;  ///< made before suspending, since from there on nothing may throw
  CommitFuture future_;
};

/// Waits for a commit: `co_await client.commit_async(request)`. Where the result is there already, the coroutine just
/// goes on; else it is resumed on the thread that completes the call, in the way of a callback
/// (BonusCommitClient::Callback): be short there, and do not call commit().
///
/// A coroutine may be destroyed while it waits, on the thread that would resume it or while nothing can resume it. It
/// is not resumed then, and its commit goes on. On another thread, request a stop instead, and let it end.
///
/// An empty future gives `misuse` (CommitFuture::get()). Throws std::bad_alloc, before suspending, where there is no
/// memory to wait with, while the commit goes on.
inline CommitAwaiter operator co_await(CommitFuture&& future) { return CommitAwaiter(std::move(future)); }

/// The same, but the coroutine goes on where `executor` runs what it is called with: a Resumption, which fits
/// std::function<void()>, asio::post, or the queue of an event loop. The executor is called once, by the thread that
/// completes the call, or by the awaiting one where the result is there already; it is copied, so std::ref() it where
/// it must not be.
///
/// One that throws has the coroutine resumed right there. One that drops what it is called with leaves the coroutine
/// waiting, for its owner to destroy. One that runs it at once, inside its own call, nests the rest of the coroutine in
/// it, so that many results in a row that are there already may use up the stack; one that posts it does not.
inline CommitAwaiter resume_on(CommitAwaiter::Executor executor, CommitFuture&& future) {
  return CommitAwaiter(std::move(future), std::move(executor));
}

WECHATPAY_BONUS_COMMIT_END

#endif

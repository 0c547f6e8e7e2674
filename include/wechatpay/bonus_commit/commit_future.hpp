/// The result of a commit that is under way.
#ifndef WECHATPAY_BONUS_COMMIT_COMMIT_FUTURE_HPP
#define WECHATPAY_BONUS_COMMIT_COMMIT_FUTURE_HPP

#include <chrono>
#include <memory>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

struct CommitPromise;

/// Stands for one commit. coroutine.hpp lets C++20 co_await it. Who drops it never learns what became of the commit,
/// which goes on. Thread-safe but for moving and get(), which is one thread's.
class [[nodiscard]] CommitFuture {
 public:
  /// Empty: stands for no commit.
  CommitFuture() noexcept = default;

  /// Leaves the other one empty.
  /// @{
  CommitFuture(CommitFuture&&) noexcept = default;
  CommitFuture& operator=(CommitFuture&&) noexcept = default;
  /// @}

  ~CommitFuture() = default;

  /// Whether it stands for a commit: until get() has given the result, or it was moved from.
  WECHATPAY_BONUS_COMMIT_EXPORT bool valid() const noexcept;

  /// Whether get() returns at once. An empty one is ready, too.
  WECHATPAY_BONUS_COMMIT_EXPORT bool ready() const noexcept;

  /// Waits until it is ready, at most for `time`, and returns whether it is. More than a day counts as a day.
  WECHATPAY_BONUS_COMMIT_EXPORT bool wait_for(std::chrono::milliseconds time) const;

  /// Waits for the result and gives it; afterwards the future is empty. An empty one gives `misuse`. In a callback or
  /// hook it would wait for itself: where the future is not ready, it gives `misuse` there, and changes nothing.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitResult get();

  /// Has `listener` called once when the future becomes ready, where and as a callback would be: see
  /// BonusCommitClient::Callback. Returns false, and leaves `listener` alone, where it is ready already. The latest
  /// listener counts; it may destroy the future.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool on_ready(MoveOnlyFunction<void()>&& listener) const;

  /// Ends this commit as CallOptions::stop would; does nothing for one that has ended. To stop it while the future is
  /// in other hands, give it a token with CallOptions.
  WECHATPAY_BONUS_COMMIT_EXPORT void request_stop() const noexcept;

 private:
  friend class BonusCommitClient;

  explicit CommitFuture(std::shared_ptr<CommitPromise> promise) noexcept : promise_(std::move(promise)) {}

  std::shared_ptr<CommitPromise> promise_;
};

/// \ingroup stages
/// Calls `run` with `what`, and returns whether that has returned: false where it threw.
WECHATPAY_BONUS_COMMIT_EXPORT bool returns_normally(void (*run)(void*), void* what) noexcept;

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_future.ipp"
#endif

#endif

/// The future result of a commit.
#ifndef WECHATPAY_BONUS_COMMIT_COMMIT_FUTURE_HPP
#define WECHATPAY_BONUS_COMMIT_COMMIT_FUTURE_HPP

#include <chrono>
#include <memory>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {
struct CommitPromise;
}  // namespace stages

/// Represents one commit. coroutine.hpp lets C++20 code co_await it. If you destroy the future, the commit goes on, but
/// its result is lost. Thread-safe, except moving it and get(), which belong to one thread.
class [[nodiscard]] CommitFuture {
 public:
  /// An empty future, without a commit.
  CommitFuture() noexcept = default;

  /// The other future is empty afterwards.
  /// @{
  CommitFuture(CommitFuture&&) noexcept = default;
  CommitFuture& operator=(CommitFuture&&) noexcept = default;
  /// @}

  ~CommitFuture() = default;

  /// Whether it has a commit. False after get() has returned the result, and after it was moved from.
  WECHATPAY_BONUS_COMMIT_EXPORT bool valid() const noexcept;

  /// Whether get() returns at once. An empty future is ready, too.
  WECHATPAY_BONUS_COMMIT_EXPORT bool ready() const noexcept;

  /// Waits at most `time` for the future to become ready, and returns whether it is. More than a day counts as a day.
  WECHATPAY_BONUS_COMMIT_EXPORT bool wait_for(std::chrono::milliseconds time) const;

  /// Waits for the result and returns it. The future is empty afterwards. Returns `misuse` if the future is empty. In a
  /// callback or hook it would wait for itself: if the future is not ready, it returns `misuse` there and changes
  /// nothing.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitResult get();

  /// Calls `listener` once when the future becomes ready, on the same threads and by the same rules as
  /// BonusCommitClient::Callback. If the future is ready already, it returns false and does not use `listener`. A new
  /// listener replaces the previous one. A listener may destroy the future.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool on_ready(MoveOnlyFunction<void()>&& listener) const;

  /// Stops this commit as CallOptions::stop does. Does nothing if the commit has ended. To stop a commit whose future
  /// another part of the program owns, use a token in CallOptions.
  WECHATPAY_BONUS_COMMIT_EXPORT void request_stop() const noexcept;

 private:
  friend class BonusCommitClient;

  explicit CommitFuture(std::shared_ptr<stages::CommitPromise> promise) noexcept : promise_(std::move(promise)) {}

  std::shared_ptr<stages::CommitPromise> promise_;
};

namespace stages {

/// \ingroup stages
/// Calls `run` with `what`. Returns whether it returned normally: false if it threw.
WECHATPAY_BONUS_COMMIT_EXPORT bool returns_normally(void (*run)(void*), void* what) noexcept;

}  // namespace stages

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_future.ipp"
#endif

#endif

#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_FUTURE_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_FUTURE_IPP

#include "wechatpay/bonus_commit/commit_future.hpp"

#include <algorithm>

#include "wechatpay/bonus_commit/impl/commit_promise.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// The error of a caller who cannot get the result. The outcome of the commit is unknown to this caller.
WECHATPAY_BONUS_COMMIT_DECL Error cannot_tell(const char* message) {
  Error error = misuse(message);
  error.outcome = Outcome::unknown;
  return error;
}

}  // namespace stages

WECHATPAY_BONUS_COMMIT_DECL bool CommitFuture::valid() const noexcept {
  if (promise_ == nullptr) return false;
  const std::lock_guard<std::mutex> lock(promise_->mutex);
  return !promise_->taken;
}

WECHATPAY_BONUS_COMMIT_DECL bool CommitFuture::ready() const noexcept {
  if (promise_ == nullptr) return true;
  const std::lock_guard<std::mutex> lock(promise_->mutex);
  return promise_->result.has_value();
}

WECHATPAY_BONUS_COMMIT_DECL bool CommitFuture::wait_for(std::chrono::milliseconds time) const {
  if (promise_ == nullptr) return true;
  std::unique_lock<std::mutex> lock(promise_->mutex);
  const auto at_most =
      std::clamp<std::chrono::milliseconds>(time, std::chrono::milliseconds(0), std::chrono::hours(24));
  return promise_->ended.wait_for(lock, at_most, [this] { return promise_->result.has_value(); });
}

WECHATPAY_BONUS_COMMIT_DECL CommitResult CommitFuture::get() {
  constexpr const char* empty = "the future is empty: it was moved from, or its result was taken before";
  if (promise_ == nullptr) return stages::cannot_tell(empty);
  std::unique_lock<std::mutex> lock(promise_->mutex);
  if (promise_->taken) return stages::cannot_tell(empty);
  if (!promise_->result && stages::in_callback()) {
    return stages::cannot_tell(
        "CommitFuture::get() was called from a callback or hook before the future was ready, where it would wait for "
        "itself: use on_ready() there");
  }
  promise_->ended.wait(lock, [this] { return promise_->result.has_value(); });
  promise_->taken = true;
  return *std::move(promise_->result);
}

WECHATPAY_BONUS_COMMIT_DECL bool CommitFuture::on_ready(MoveOnlyFunction<void()>&& listener) const {
  const auto promise = promise_;  // NOLINT(performance-unnecessary-copy-initialization): as soon as the lock is free,
                                  // the listener may run, and destroy *this
  if (promise == nullptr) return false;
  const std::lock_guard<std::mutex> lock(promise->mutex);
  if (promise->result) return false;
  std::swap(promise->listener, listener);
  return true;
}

WECHATPAY_BONUS_COMMIT_DECL void CommitFuture::request_stop() const noexcept {
  if (promise_ != nullptr) promise_->stop.request_stop();
}

namespace stages {

WECHATPAY_BONUS_COMMIT_DECL bool returns_normally(void (*run)(void*), void* what) noexcept {
  try {
    run(what);
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace stages

WECHATPAY_BONUS_COMMIT_END

#endif

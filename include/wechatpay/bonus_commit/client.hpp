/// The client. src/commit_attempts.cpp has a commit's way through all the stages.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_HPP

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "wechatpay/bonus_commit/cancellation.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/export.hpp"
#include "wechatpay/bonus_commit/one_shot.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay {

struct OpenClient;

/// Of a commit under way. Copies stand for the same commit; to let go of them cancels nothing. Thread-safe.
class CommitHandle {
 public:
  CommitHandle() = default;

  /// Ends the commit as soon as that can be done: with its result where there is one by then, else with an error of
  /// kind `cancelled`, whose outcome says whether it may have been done. The callback runs, or the future becomes
  /// ready, as ever. At any time and from any thread; for a commit that has ended it does nothing.
  void cancel() const noexcept {
    if (cancellation_ != nullptr) cancellation_->request();
  }

 private:
  friend class BonusCommitClient;

  explicit CommitHandle(std::shared_ptr<Cancellation> cancellation) : cancellation_(std::move(cancellation)) {}

  std::shared_ptr<Cancellation> cancellation_;
};

/// \ingroup stages
/// What a CommitFuture and its call share.
struct CommitPromise {
  std::promise<CommitResult> result;  ///< set before `ready` happens
  OneShot ready;                      ///< the future can be asked without waiting
};

/// A std::future that can cancel its commit, and says when it is ready. coroutine.hpp lets C++20 co_await it. Who drops
/// it never learns what became of the commit.
class [[nodiscard]] CommitFuture : public std::future<CommitResult> {
 public:
  CommitFuture() = default;

  /// See CommitHandle::cancel().
  void cancel() const noexcept { handle_.cancel(); }

  /// For cancelling when the future itself is in other hands.
  const CommitHandle& handle() const noexcept { return handle_; }

  /// Has `listener` called once when the future becomes ready, where and as a callback would be: see
  /// BonusCommitClient::Callback. Returns false, and leaves `listener` alone, where it is ready already. The latest
  /// listener counts; it may destroy the future. Throws std::future_error (no_state) where valid() is false.
  [[nodiscard]] bool on_ready(std::function<void()>&& listener) const {
    if (!valid()) throw std::future_error(std::future_errc::no_state);
    const std::shared_ptr<CommitPromise> promise = promise_;  // *this may be gone before listen() returns
    return promise->ready.listen(listener);
  }

 private:
  friend class BonusCommitClient;

  CommitFuture(std::shared_ptr<CommitPromise> promise, std::future<CommitResult> base, CommitHandle handle)
      : std::future<CommitResult>(std::move(base)), promise_(std::move(promise)), handle_(std::move(handle)) {}

  std::shared_ptr<CommitPromise> promise_;
  CommitHandle handle_;
};

/// Commits bonus points. Make one at start-up, after any fork(), and share it: it is immutable, every member is
/// thread-safe, and copies share their connections.
///
/// When the last copy is destroyed, each call under way ends with an error (`transport_failed`,
/// TransportFault::shut_down) before the destructor returns, whatever the transport does; none is dropped in silence.
/// Callbacks of calls that wait for the transport then run on the destroying thread; for what runs on other threads at
/// that moment (a callback, a hook, Transport::send()) the destructor waits, so do not hold a lock that these need. In
/// a callback or hook, the call that it belongs to goes on to its end afterwards. The transport is let go of last.
///
/// In a child process after fork() a client of the parent's sends nothing: a call ends with `misuse`, and a call that
/// was under way in the parent is the parent's alone. Make a client of its own there.
class BonusCommitClient {
 public:
  /// Runs on the transport's thread (with CurlTransport its one event loop, so be short), on the calling thread before
  /// commit_async() returns if the call ends before that, or on the thread that destroys the client. An exception that
  /// it throws is swallowed. It may destroy the client. What it holds is destroyed right after it has run.
  using Callback = std::function<void(CommitResult)>;

  /// A client of `credentials` that believes `platform_keys` and sends through `transport`. Fails with
  /// `invalid_configuration` on a key store that is empty or holds the merchant's own certificate, and on an option
  /// that cannot work.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<BonusCommitClient> create(
      Credentials credentials, std::shared_ptr<const PlatformKeys> platform_keys, std::shared_ptr<Transport> transport,
      ClientOptions options = {});

  /// Commits and waits. Called from a callback, a hook, or any other function that the library calls (ClientOptions'
  /// clock, random and nonce, a Signer, a Transport), it would wait for itself: it is refused with `misuse`.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitResult commit(const BonusCommitRequest& request) const;

  /// Commits; the future becomes ready on the transport's thread. Do not wait for it in a callback. Throws
  /// std::bad_alloc, and sends nothing, where there is no memory for the future itself.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitFuture commit_async(const BonusCommitRequest& request) const;

  /// Commits, and calls `done` exactly once.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitHandle commit_async(const BonusCommitRequest& request, Callback done) const;

 private:
  friend class Batch;

  explicit BonusCommitClient(std::shared_ptr<OpenClient> open) : open_(std::move(open)) {}

  CommitHandle begin(const BonusCommitRequest& request, Callback done, bool has_place) const;

  std::shared_ptr<OpenClient> open_;  ///< by all copies; the last one ends the calls
};

}  // namespace wechatpay

#endif

/// The client. stages/commit_attempts.hpp has a commit's way through all the stages.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_HPP

#include <memory>
#include <utility>

#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/commit_future.hpp"
#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {
class Batch;
struct OpenClient;
}  // namespace stages

/// Commits bonus points. Make one at start-up, after any fork(), and share it: every member is thread-safe, and copies
/// share their keys, options and connections. Of these, only keys can be changed.
///
/// When the last copy is destroyed, each call under way ends with an error (`transport_failed`,
/// TransportFault::shut_down) before the destructor returns, whatever the transport does; none is dropped in silence.
/// Callbacks of calls that wait for the transport then run on the destroying thread; for what runs on other threads at
/// that moment (a callback, a hook, a Signer, Transport::send()) the destructor waits, so do not hold a lock that these
/// need. In a callback or hook, the call that it belongs to goes on to its end afterwards. The transport is let go of
/// last.
///
/// In a child process after fork() a client of the parent's sends nothing: a call ends with `misuse`, and a call that
/// was under way in the parent is the parent's alone. Make a client of its own there.
class BonusCommitClient {
 public:
  /// Runs on the transport's thread (with CurlTransport its one event loop, so be short), on the calling thread before
  /// commit_async() returns if the call ends before that, on the thread that destroys the client, or, where
  /// ClientOptions::executor has a further try signed and the call ends with that, there. An exception that it throws
  /// is swallowed. It may destroy the client. What it holds is destroyed right after it has run.
  using Callback = MoveOnlyFunction<void(CommitResult)>;

  /// A client that signs with `credentials`, verifies answers with `platform_keys`, and sends through a CurlTransport
  /// of its own with the default CurlOptions. Fails with `invalid_configuration` where there are no platform keys or
  /// one of them is the merchant's own, on an option that cannot work, and where CurlTransport::create() does.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<BonusCommitClient> create(Credentials credentials,
                                                                        const PlatformKeys& platform_keys,
                                                                        ClientOptions options = {});

  /// The same through `transport`: a CurlTransport with options of yours, such as a proxy or a CA bundle; or another.
  /// Several clients may share it.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<BonusCommitClient> create(Credentials credentials,
                                                                        const PlatformKeys& platform_keys,
                                                                        std::shared_ptr<Transport> transport,
                                                                        ClientOptions options = {});

  /// Has this client and its copies sign with `credentials` from now on: for a new API certificate of the same
  /// merchant. Calls under way go on as they began, and connections, rate limit and what is known of hosts stay.
  /// Returns the serial number. Fails with `invalid_configuration` on credentials of another merchant, which needs a
  /// client of its own, and where create() would on these keys; the client is left as it was then.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> renew_credentials(Credentials credentials) const;

  /// Commits and waits; all tries are signed on this thread. Called from a callback, a hook, or any other function that
  /// the library calls (ClientOptions' clock, random and nonce, a Signer, a Transport), it would wait for itself: it is
  /// refused with `misuse`.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitResult commit(const BonusCommitRequest& request,
                                                    const CallOptions& options = {}) const;

  /// Commits; the future becomes ready on the transport's thread. Throws std::bad_alloc, and sends nothing, where there
  /// is no memory for the future itself.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitFuture commit_async(const BonusCommitRequest& request,
                                                          const CallOptions& options = {}) const;

  /// Commits, and calls `done` exactly once; an empty one hears nothing.
  WECHATPAY_BONUS_COMMIT_EXPORT void commit_async(const BonusCommitRequest& request, Callback done,
                                                  const CallOptions& options = {}) const;

 private:
  friend class stages::Batch;

  explicit BonusCommitClient(std::shared_ptr<stages::OpenClient> open) : open_(std::move(open)) {}

  void begin(const BonusCommitRequest& request, Callback done, const CallOptions& options, bool has_place,
             const std::shared_ptr<CommitPromise>& promise) const;

  std::shared_ptr<stages::OpenClient> open_;  ///< by all copies; the last one ends the calls
};

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/client.ipp"
#endif

#endif

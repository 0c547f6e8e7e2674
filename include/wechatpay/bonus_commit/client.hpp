/// The client. stages/commit_attempts.hpp shows the stages of a commit.
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

/// Commits bonus points. Create one client at start-up, after any fork(), and share it. Every member function is
/// thread-safe, except assigning to it and moving from it. Copies share their keys, options and connections; only the
/// keys can be changed later.
///
/// When the last copy is destroyed, each call in progress ends with an error (`transport_failed`,
/// TransportFault::shut_down) before the destructor returns, whatever the transport does. No call is lost silently.
/// Callbacks of calls that wait for the transport then run on the destroying thread. The destructor waits for functions
/// that are running on other threads at that moment (a callback, a hook, a Signer, Transport::send()), so do not hold a
/// lock that these need. If a callback or hook destroys the last copy, the call that it belongs to still continues to
/// its end. The transport is released last.
///
/// In a child process after fork(), a client of the parent sends nothing: a call ends with `misuse`, and calls in
/// progress at the fork belong to the parent only. Create a new client in the child, with keys that are loaded there.
class BonusCommitClient {
 public:
  /// Runs on one of these threads: the transport's thread (CurlTransport has only one, so return quickly); the calling
  /// thread, before commit_async() returns, if the call ends before that; the thread that destroys the client; or a
  /// thread of ClientOptions::executor, if the call ends while a further try is signed there. An exception that it
  /// throws is ignored. It may destroy the client. What it owns is destroyed right after it has run.
  using Callback = MoveOnlyFunction<void(CommitResult)>;

  /// Creates a client that signs with `credentials`, verifies answers with `platform_keys`, and sends through its own
  /// CurlTransport with the default CurlOptions. Fails with `invalid_configuration` if there are no platform keys, if
  /// one of them is the merchant's own key, if an option cannot work, or if CurlTransport::create() fails. To find the
  /// own key, it has the credentials sign a text once; a Signer that fails then is no error yet.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<BonusCommitClient> create(Credentials credentials,
                                                                        const PlatformKeys& platform_keys,
                                                                        ClientOptions options = {});

  /// The same with a given `transport`: a CurlTransport with your own options, such as a proxy or CA certificates, or
  /// another transport. Several clients may share one transport.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<BonusCommitClient> create(Credentials credentials,
                                                                        const PlatformKeys& platform_keys,
                                                                        std::shared_ptr<Transport> transport,
                                                                        ClientOptions options = {});

  /// Makes this client and its copies sign with `credentials` from now on. Use it for a new API certificate of the same
  /// merchant. Calls in progress keep the old credentials. Connections, rate limit and the state of the hosts are kept.
  /// Returns the new serial number. Fails with `invalid_configuration` if the credentials belong to another merchant,
  /// which needs its own client, or if create() would fail with them; the client is unchanged then.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> renew_credentials(Credentials credentials) const;

  /// Commits, and blocks until the call has ended. All tries are signed on the calling thread. In a callback, a hook,
  /// or any other function that the library calls (the clock, random and nonce of ClientOptions, a Signer, a
  /// Transport), it would wait for itself, so it ends with `misuse` there.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitResult commit(const BonusCommitRequest& request,
                                                    const CallOptions& options = {}) const;

  /// Commits, and returns at once. The future becomes ready on the transport's thread. Throws std::bad_alloc, and sends
  /// nothing, if there is no memory for the future.
  WECHATPAY_BONUS_COMMIT_EXPORT CommitFuture commit_async(const BonusCommitRequest& request,
                                                          const CallOptions& options = {}) const;

  /// Commits, and calls `done` exactly once. `done` may be empty.
  WECHATPAY_BONUS_COMMIT_EXPORT void commit_async(const BonusCommitRequest& request, Callback done,
                                                  const CallOptions& options = {}) const;

 private:
  friend class stages::Batch;

  explicit BonusCommitClient(std::shared_ptr<stages::OpenClient> open) : open_(std::move(open)) {}

  void begin(const BonusCommitRequest& request, Callback done, const CallOptions& options, bool has_place,
             const std::shared_ptr<stages::CommitPromise>& promise) const;

  std::shared_ptr<stages::OpenClient> open_;  ///< shared by all copies; the last one ends the calls
};

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/client.ipp"
#endif

#endif

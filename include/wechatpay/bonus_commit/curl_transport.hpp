/// The transport for production: libcurl, one event loop, reused connections.
#ifndef WECHATPAY_BONUS_COMMIT_CURL_TRANSPORT_HPP
#define WECHATPAY_BONUS_COMMIT_CURL_TRANSPORT_HPP

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/event_loop.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {
class Driver;
}  // namespace curl

/// The lowest TLS version to accept.
enum class TlsVersion {
  tls_1_2,  ///< RFC 5246
  tls_1_3,  ///< RFC 8446
};

/// Network options. Verification of the host's certificate and name is always on; there is no option for it.
struct CurlOptions {
  /// A PEM file with the trusted CA certificates. Empty: the system's. In tests, set this to the sandbox's `ca.pem`.
  std::string ca_bundle_file{};

  /// The proxy: "http://host:port", or with https, socks4, socks4a, socks5 or socks5h. Empty: none. It may contain
  /// "user:password@", in which @ : / # ? and % must be percent-encoded. The environment's proxy variables are not
  /// read: only this option decides where payment requests go.
  std::string proxy{};

  /// The time for DNS lookup, connecting and the TLS handshake.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);

  /// The maximum number of simultaneous requests to one host. Over HTTP/1.1 each uses its own connection; over HTTP/2
  /// all share one. Further requests wait in the order in which they came.
  std::size_t max_connections = 64;

  /// How long an idle connection is kept open. WeChat Pay's servers close theirs after 8 s.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(7);

  /// A host that offers only lower versions is refused.
  TlsVersion min_tls_version = TlsVersion::tls_1_2;

  /// The event loop in which the transport runs. Null: the transport uses its own thread. A transport in a loop must be
  /// used, and destroyed, on that loop's thread only; commits may be started on any thread. BonusCommitClient::commit()
  /// would wait for the loop, so do not call it on the loop's thread.
  std::shared_ptr<EventLoop> event_loop{};
};

/// Sends requests through libcurl, over HTTP/2 if the server offers it, else over HTTP/1.1. One thread serves all
/// calls, and completions run on it. It starts with the first call. It blocks all signals except those of its own
/// faults (SIGSEGV and the like), so a reset connection does not raise SIGPIPE in your process. On Linux it has the
/// scheduling policy SCHED_BATCH, so that it does not interrupt your threads for each answer; what a completion starts
/// inherits that. With CurlOptions::event_loop, everything runs in your event loop instead.
///
/// Connections are reused. A connection on which something has arrived since its last answer, or that the server has
/// closed, is closed before a request is sent over it, and a new connection takes its place. After a request over
/// HTTP/2 has timed out, no further request uses that connection.
///
/// It does not read ~/.netrc or the environment's proxy variables, keeps no cookies, follows no redirects, and writes
/// no TLS secrets to SSLKEYLOGFILE. Answers with more than 64 KiB of headers or 1 MiB of body are refused.
///
/// When the process exits, shutdown() is called for every transport, so the process may exit while calls are in
/// progress. Create the transport after fork(): a child process cannot use its parent's.
class WECHATPAY_BONUS_COMMIT_TYPE CurlTransport final : public Transport {
 public:
  /// Fails with `invalid_configuration` if the CA file cannot be read, the machine has no CA certificates, libcurl
  /// would not use the proxy URL exactly as it is written, an option is out of range, or libcurl lacks a feature that
  /// is needed.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<std::shared_ptr<CurlTransport>> create(CurlOptions options = {});

  /// Calls shutdown().
  WECHATPAY_BONUS_COMMIT_EXPORT ~CurlTransport() override;

  /// A request without SendOptions::timeout has 30 s. A client gives each one RetryOptions::try_timeout.
  WECHATPAY_BONUS_COMMIT_EXPORT void send(HttpRequest request, SendOptions options, Completion done) override;

  /// Completes every call in progress with TransportFault::shut_down, refuses further calls, and returns when that is
  /// done. Inside a completion, on the transport's own thread, it cannot wait: the calls complete right after that
  /// completion has returned. Thread-safe, except with your own event loop, as CurlOptions::event_loop says.
  WECHATPAY_BONUS_COMMIT_EXPORT void shutdown() noexcept;

 private:
  explicit CurlTransport(std::shared_ptr<curl::Driver> driver);

  const std::shared_ptr<curl::Driver> driver_;
  const unsigned process_;  ///< in which it was created
};

/// Returns the User-Agent of every request: this library, the platform, and the libcurl and OpenSSL versions in use at
/// run time. WeChat Pay answers 400 INVALID_REQUEST to some requests without one. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT const std::string& user_agent();

WECHATPAY_BONUS_COMMIT_END

#endif

/// The real transport: libcurl, one event loop, connections that are kept.
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
}

/// The lowest version of TLS that is spoken.
enum class TlsVersion {
  tls_1_2,  ///< RFC 5246
  tls_1_3,  ///< RFC 8446
};

/// Verification of the host's certificate and name has no switch: it is always on.
struct CurlOptions {
  /// A PEM file of the certificate authorities to trust; empty: the system's. The sandbox's `ca.pem` stands here in
  /// tests.
  std::string ca_bundle_file{};

  /// "http://host:port", or with https, socks4, socks4a, socks5 or socks5h; with "user:password@" if it wants them, in
  /// which @ : / # ? and % are percent-encoded; empty: none. The environment's proxy variables are not read: where
  /// payments go is decided here.
  std::string proxy{};

  /// For name lookup, connection and TLS handshake.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);

  /// For a request that brings no timeout of its own.
  std::chrono::milliseconds total_timeout = std::chrono::seconds(30);

  /// Requests to one host at a time, each on a connection of its own over HTTP/1.1, all on one over HTTP/2; further
  /// ones wait for their turn, first come, first served.
  std::size_t max_connections = 64;

  /// A connection without calls is closed after this long; WeChat Pay's servers close theirs after 8 s.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(7);

  /// A host that offers only less is not spoken to.
  TlsVersion min_tls_version = TlsVersion::tls_1_2;

  /// Where the transport runs; null: on a thread of its own. Use a transport that runs in a loop on that loop's thread
  /// alone, its destruction included; commits may be started on any thread. BonusCommitClient::commit() would wait for
  /// the loop, so it must not be called on it.
  std::shared_ptr<EventLoop> event_loop{};
};

/// Sends through libcurl over HTTP/2 where the server offers it, else HTTP/1.1. One thread runs all calls, and
/// completions run on it. It starts with the first call, and blocks all signals but those of its own faults (SIGSEGV
/// and the like), so a reset connection raises no SIGPIPE in your process. Or all of it runs in an event loop of yours.
///
/// Connections are kept for reuse. A kept connection on which anything has arrived since its last answer is closed
/// before a request is sent over it, and so is one that the server has closed: a new one takes its place. Where a
/// request over HTTP/2 timed out, no further one uses that connection.
///
/// Reads neither ~/.netrc nor the environment's proxies, keeps no cookies, follows no redirect, and writes no TLS
/// secrets to SSLKEYLOGFILE. Answers with more than 64 KiB of headers or 1 MiB of body are refused.
///
/// When the process exits, shutdown() is called for every transport, so calls may be under way at any moment. Make it
/// after fork(): a child has no use of its parent's.
class WECHATPAY_BONUS_COMMIT_TYPE CurlTransport final : public Transport {
 public:
  /// Fails with `invalid_configuration` on a CA file that cannot be read, a machine without CA certificates, a proxy's
  /// URL that libcurl would not use as it stands, an option out of range, and a libcurl without what is needed.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<std::shared_ptr<CurlTransport>> create(CurlOptions options = {});

  /// Calls shutdown().
  WECHATPAY_BONUS_COMMIT_EXPORT ~CurlTransport() override;

  WECHATPAY_BONUS_COMMIT_EXPORT void send(HttpRequest request, SendOptions options, Completion done) override;

  /// Completes every call under way with TransportFault::shut_down, and refuses further ones. Returns when that is
  /// done. Called from within a completion (on its own thread) it cannot wait: the calls complete right after that
  /// completion has returned. Thread-safe, but with an event loop of yours as CurlOptions::event_loop says.
  WECHATPAY_BONUS_COMMIT_EXPORT void shutdown() noexcept;

 private:
  CurlTransport(std::shared_ptr<curl::Driver> driver, std::chrono::milliseconds total_timeout);

  const std::shared_ptr<curl::Driver> driver_;
  const std::chrono::milliseconds total_timeout_;
  const unsigned process_;  ///< that it was made in
};

/// The User-Agent that every request carries: this library, the platform, and the libcurl and OpenSSL that are in use
/// at run time. WeChat Pay answers 400 INVALID_REQUEST to some requests without one. Thread-safe; the text is made
/// once.
WECHATPAY_BONUS_COMMIT_EXPORT const std::string& user_agent();

WECHATPAY_BONUS_COMMIT_END

#endif

/// The real transport: libcurl, one event loop, connections that are kept.
#ifndef WECHATPAY_BONUS_COMMIT_CURL_TRANSPORT_HPP
#define WECHATPAY_BONUS_COMMIT_CURL_TRANSPORT_HPP

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "wechatpay/bonus_commit/event_loop.hpp"
#include "wechatpay/bonus_commit/export.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay {

namespace curl {
class Engine;
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
  std::string ca_bundle_file;

  /// "http://host:port", with user and password if it wants them; empty: none. The environment's proxy variables are
  /// not read: where payments go is decided here.
  std::string proxy;

  /// For name lookup, connection and TLS handshake.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);

  /// For a request that brings no timeout of its own.
  std::chrono::milliseconds total_timeout = std::chrono::seconds(30);

  /// To one host at a time; further requests wait for their turn, first come, first served.
  std::size_t max_connections = 64;

  /// A connection without calls is closed after this long; WeChat Pay's servers close theirs after 8 s.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(7);

  /// A host that offers only less is not spoken to.
  TlsVersion min_tls_version = TlsVersion::tls_1_2;

  /// Where the transport runs; null: on a thread of its own. Use a transport that runs in a loop on that loop's thread
  /// alone, its destruction included; commits may be started on any thread. BonusCommitClient::commit() would wait for
  /// the loop, so it must not be called on it.
  std::shared_ptr<EventLoop> event_loop;
};

/// Sends through libcurl over HTTP/2 where the server offers it, else HTTP/1.1. One thread runs all calls; it starts
/// with the first, blocks all signals (so a reset connection raises no SIGPIPE in your process), and completions run on
/// it. A caller that waits (HttpRequest::waiting_caller) serves its own call where there is no other, which saves two
/// changes of threads. Or all of it runs in an event loop of yours. Connections are kept for reuse.
///
/// Reads neither ~/.netrc nor the environment's proxies, keeps no cookies, follows no redirect, and writes no TLS
/// secrets to SSLKEYLOGFILE. Answers with more than 64 KiB of headers or 1 MiB of body are refused.
///
/// Destroying it completes every call under way with an error before the destructor returns. Destroyed from within a
/// completion (on its own thread) it cannot wait: the calls complete right after that completion has returned.
/// Make it after fork(): a child has no use of its parent's.
class WECHATPAY_BONUS_COMMIT_TYPE CurlTransport final : public Transport {
 public:
  /// Fails with `invalid_configuration` on a CA file that cannot be read, an option out of range, and a libcurl
  /// without what is needed.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<std::shared_ptr<CurlTransport>> create(CurlOptions options = {});
  WECHATPAY_BONUS_COMMIT_EXPORT ~CurlTransport() override;

  WECHATPAY_BONUS_COMMIT_EXPORT void send(HttpRequest request, Completion done) override;

 private:
  explicit CurlTransport(std::shared_ptr<curl::Engine> engine);

  std::shared_ptr<curl::Engine> engine_;
};

}  // namespace wechatpay

#endif

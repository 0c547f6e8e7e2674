/// The way out: a port with one method.
#ifndef WECHATPAY_BONUS_COMMIT_TRANSPORT_HPP
#define WECHATPAY_BONUS_COMMIT_TRANSPORT_HPP

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// When and how a request is sent.
struct SendOptions {
  std::chrono::milliseconds delay{0};     ///< a pause before it is sent
  std::chrono::milliseconds timeout{0};   ///< from its turn on a connection to the last byte; 0: the transport's own
  std::chrono::milliseconds deadline{0};  ///< from the end of the pause, waiting for its turn included; 0: timeout
  bool fresh_connection = false;          ///< never over a kept connection
  StopToken stop{};                       ///< ends it before its time
};

/// Sends a request and hands over the answer. CurlTransport is the real one; testing/mock_transport.hpp has one for
/// tests; a decorator that watches or counts is a few lines.
class WECHATPAY_BONUS_COMMIT_TYPE Transport {
 public:
  /// Takes the answer, whatever its status, or an error of kind `transport_failed` whose outcome is `not_sent` only if
  /// no byte of the request can have left.
  using Completion = std::function<void(Result<HttpResponse>)>;

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Sends `request` as `options` say and calls `done` exactly once: on any thread, before send() returns or later, and
  /// at the latest when the transport is destroyed. Follows no redirect. Where `options.stop` is requested, it may end
  /// the request with TransportFault::cancelled. Call `done` without a lock that a StopCallback
  /// on that token takes, and let no such callback wait for `done`. Thread-safe.
  virtual void send(HttpRequest request, SendOptions options, Completion done) = 0;
};

/// No complete answer: the error of a transport.
inline Error transport_error(TransportFault fault, Outcome outcome, std::string message) {
  Error error;
  error.kind = ErrorKind::transport_failed;
  error.transport_fault = fault;
  error.outcome = outcome;
  error.message = std::move(message);
  return error;
}

WECHATPAY_BONUS_COMMIT_END

#endif

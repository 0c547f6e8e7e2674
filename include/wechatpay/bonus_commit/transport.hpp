/// The interface of transports: one function.
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
  std::chrono::milliseconds delay{0};     ///< the pause before sending
  std::chrono::milliseconds timeout{0};   ///< from its turn to the last byte of the answer; 0: the transport's default
  std::chrono::milliseconds deadline{0};  ///< from the end of the pause, including the wait for its turn; 0: timeout
  bool fresh_connection = false;          ///< do not reuse a connection
  StopToken stop{};                       ///< ends the request early
};

/// Sends requests and returns their answers. CurlTransport is the transport for production; testing/mock_transport.hpp
/// has one for tests. A decorator that observes or counts requests takes a few lines.
class WECHATPAY_BONUS_COMMIT_TYPE Transport {
 public:
  /// Receives the answer, whatever its status, or an error of kind `transport_failed`. The error's outcome may be
  /// `not_sent` only if no byte of the request can have been sent.
  using Completion = std::function<void(Result<HttpResponse>)>;

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Sends `request` as `options` say, and calls `done` exactly once: on any thread, before send() returns or later,
  /// and at the latest when the transport is destroyed. Must not follow redirects. If `options.stop` is requested, it
  /// may end the request with TransportFault::cancelled. Do not hold a lock that a StopCallback on that token takes
  /// while calling `done`, and do not let such a callback wait for `done`. Must be thread-safe.
  virtual void send(HttpRequest request, SendOptions options, Completion done) = 0;
};

/// Makes the error of a transport that received no complete answer.
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

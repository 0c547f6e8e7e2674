/// A request from its acceptance to its completion.
#ifndef WECHATPAY_SRC_CURL_QUEUED_REQUEST_HPP
#define WECHATPAY_SRC_CURL_QUEUED_REQUEST_HPP

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <utility>

#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;

inline constexpr TimePoint never = (TimePoint::max)();

struct Host;

/// Owned by the list in which it stands.
struct QueuedRequest {
  HttpRequest http;
  SendOptions options;
  Transport::Completion done;
  TimePoint start{};  ///< not before
  TimePoint deadline{};
  TimePoint turn{};  ///< when it was given to libcurl

  // The request queue's, from its turn on.
  Host* host = nullptr;
  unsigned generation = 0;
  bool connected = false;  ///< its connection stands

  std::optional<StopCallback<std::function<void()>>>
      on_stop;  ///< wakes the driver, which may be destroyed after the completion

  bool stopped() const noexcept { return options.stop.stop_requested(); }

  /// Once. What the completion holds is destroyed before this returns.
  void complete(Result<HttpResponse> result) noexcept {
    on_stop.reset();
    const Transport::Completion completion = std::move(done);
    done = nullptr;
    try {
      completion(std::move(result));
    } catch (...) {
      // Completions do not throw; one that does must not end the calls of the others.
    }
  }

  /// Where there is no memory for the message, without it.
  void complete(TransportFault fault, Outcome outcome, const char* message) noexcept {
    Error error;
    try {
      error.message = http.origin;
      error.message.append(": ").append(message);
    } catch (...) {
      error.message = "out of memory";
    }
    error.kind = ErrorKind::transport_failed;
    error.transport_fault = fault;
    error.outcome = outcome;
    complete(std::move(error));
  }
};

/// To move a request from list to list needs no memory and cannot fail.
using Requests = std::list<QueuedRequest>;

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

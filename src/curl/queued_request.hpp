/// A request from its acceptance until its completion.
#ifndef WECHATPAY_SRC_CURL_QUEUED_REQUEST_HPP
#define WECHATPAY_SRC_CURL_QUEUED_REQUEST_HPP

#include <chrono>
#include <cstdint>
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

/// Owned by the list that contains it.
struct QueuedRequest {
  HttpRequest http;
  SendOptions options;
  Transport::Completion done;
  TimePoint start{};  ///< the earliest time to send it
  TimePoint deadline{};
  TimePoint turn{};  ///< when it was given to libcurl

  std::uint64_t number = 0;  ///< in the order in which the request queue was given it

  // Used by the request queue once the request was given to libcurl.
  Host* host = nullptr;
  unsigned generation = 0;
  bool connected = false;  ///< its connection is established

  std::optional<StopCallback<std::function<void()>>>
      on_stop;  ///< wakes the driver, which may be destroyed after the completion

  bool stopped() const noexcept { return options.stop.stop_requested(); }

  /// Call once. What the completion holds is destroyed before this returns.
  void complete(Result<HttpResponse> result) noexcept {
    on_stop.reset();
    const Transport::Completion completion = std::move(done);
    done = nullptr;
    try {
      completion(std::move(result));
    } catch (...) {
      // Completions must not throw; if one does, the other calls must still go on.
    }
  }

  /// If there is no memory for the message, the error has none.
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

/// Moving a request between lists needs no memory and cannot fail.
using Requests = std::list<QueuedRequest>;

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

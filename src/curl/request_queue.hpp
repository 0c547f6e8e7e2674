/// When each request starts, and whether it may reuse a connection: a state machine.
#ifndef WECHATPAY_SRC_CURL_REQUEST_QUEUE_HPP
#define WECHATPAY_SRC_CURL_REQUEST_QUEUE_HPP

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "src/curl/queued_request.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// The HTTP version of a host.
enum class Protocol { unknown, http1, http2 };

/// What the queue remembers about one origin.
struct Host {
  Requests waiting;  ///< first come, first served
  Protocol protocol = Protocol::unknown;
  unsigned generation = 0;   ///< number of the current set of connections; new requests use only these
  std::size_t running = 0;   ///< requests started, in all generations
  std::size_t opening = 0;   ///< requests of the current generation whose connection is not established yet
  std::size_t standing = 0;  ///< requests of the current generation whose connection is established
  TimePoint alone_until{};   ///< how long others wait for the request that opens a connection
};

/// Holds requests until they start, and counts them until they finish. Has no threads, no locks and no clock of its
/// own. Owned by the driver's thread.
///
/// Over HTTP/2 one connection serves all requests to a host. So if no connection is open, and the host is not known to
/// speak only HTTP/1.1, a single request opens one first.
class RequestQueue {
 public:
  /// What the caller of poll() must do.
  struct Action {
    enum class Kind { none, start, complete };
    Kind kind = Kind::none;
    Requests request;               ///< one request; empty with `none`
    bool fresh_connection = false;  ///< start: do not reuse a connection
    TransportFault fault = TransportFault::none;
    const char* message = "";  ///< complete: no byte was sent
  };

  /// At most `most_running` requests to a host run at once. The others wait at most `patience` for the one request that
  /// opens a connection.
  RequestQueue(std::size_t most_running, milliseconds patience) : most_running_(most_running), patience_(patience) {}

  /// Takes over all of `requests`.
  void add(Requests& requests) noexcept {
    for (QueuedRequest& request : requests) request.number = ++added_;
    arrived_.splice(arrived_.end(), requests);
  }

  /// The next action at `now`. Call it until the kind is `none`. A request for which memory is short is completed.
  Action poll(TimePoint now) noexcept;

  /// Call when the connection of a started request is established.
  void connected(QueuedRequest& request, Protocol protocol) noexcept;

  /// Call when a started request has ended. `protocol` is what the host spoke. With `connection_failed`, no further
  /// request uses a connection to the host that is open now.
  void finished(QueuedRequest& request, Protocol protocol, bool connection_failed) noexcept;

  /// All requests that have not started and whose stop was requested.
  Requests take_stopped() noexcept;

  /// All requests that have not started.
  Requests take_all() noexcept;

  /// Whether requests in progress may share a connection, as over HTTP/2.
  bool may_share_connections() const noexcept;

  /// When poll() will have something to do if no event comes before.
  TimePoint next_moment() const noexcept;

 private:
  /// A request that waits for its start or, in a host's list, its turn.
  struct Timer {
    TimePoint due;
    Requests* list;
    Requests::iterator place;
    bool operator<(const Timer& other) const {
      return due != other.due ? due < other.due : place->number < other.place->number;
    }
  };

  Action next_action(TimePoint now);
  Action place_first_arrived(TimePoint now);
  Action admit_first_arrived(TimePoint now);
  Action expire(const Timer& timer) noexcept;
  Action start(Host& host, Requests& from, Requests::iterator place, TimePoint now) noexcept;
  bool has_room(const Host& host, TimePoint now) const noexcept;

  const std::size_t most_running_;
  const milliseconds patience_;
  std::uint64_t added_ = 0;
  Requests arrived_;
  Requests delayed_;
  std::map<std::string, Host> hosts_;  ///< by origin
  std::set<Timer> timers_;             ///< of all requests that are delayed or wait
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// When each request starts, and over what kind of connection: all policy, as a state machine.
#ifndef WECHATPAY_SRC_CURL_REQUEST_QUEUE_HPP
#define WECHATPAY_SRC_CURL_REQUEST_QUEUE_HPP

#include <map>
#include <set>
#include <string>

#include "src/curl/queued_request.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What a host speaks.
enum class Protocol { unknown, http1, http2 };

/// One origin, as the queue remembers it.
struct Host {
  Requests waiting;  ///< first come, first served
  Protocol protocol = Protocol::unknown;
  unsigned generation = 0;   ///< of its connections; further requests use only those of the present one
  std::size_t running = 0;   ///< in all generations
  std::size_t opening = 0;   ///< of the present one: those whose connection does not stand yet
  std::size_t standing = 0;  ///< of the present one: those whose connection stands
  TimePoint alone_until{};   ///< how long others wait for the one that opens a connection
};

/// Holds requests until their start, and counts them until they have finished. Has neither threads, locks, nor a clock
/// of its own. Owned by the driver's thread.
///
/// Over HTTP/2 one connection serves all requests to a host. So while it is not known that a host speaks only HTTP/1.1,
/// and no connection is open, one request goes alone to open it.
class RequestQueue {
 public:
  /// What poll() asks for.
  struct Action {
    enum class Kind { none, start, complete };
    Kind kind = Kind::none;
    Requests request;               ///< one, except with `none`
    bool fresh_connection = false;  ///< start: not over a kept connection
    TransportFault fault = TransportFault::none;
    const char* message = "";  ///< complete: no byte has left
  };

  /// At most `most_running` requests to a host at a time. They wait at most `patience` for the one that opens a
  /// connection.
  RequestQueue(std::size_t most_running, milliseconds patience) : most_running_(most_running), patience_(patience) {}

  /// Takes over all of `requests`.
  void add(Requests& requests) noexcept { arrived_.splice(arrived_.end(), requests); }

  /// The next thing to do at `now`. To be called until that is nothing.
  Action poll(TimePoint now) noexcept;

  /// The connection of a request that was started stands.
  void connected(QueuedRequest& request, Protocol protocol) noexcept;

  /// A request that was started is no longer under way. `protocol` is what the host spoke. With `connection_failed`,
  /// no further request uses a connection to the host that is open by now.
  void finished(QueuedRequest& request, Protocol protocol, bool connection_failed) noexcept;

  /// All requests that have not started and whose stop is asked for.
  Requests take_stopped() noexcept;

  /// All requests that have not started.
  Requests take_all() noexcept;

  /// When poll() will have something to do, if nothing happens before.
  TimePoint next_moment() const noexcept;

 private:
  /// A request that waits for its start or, in a host's list, its turn.
  struct Timer {
    TimePoint due;
    Requests* list;
    Requests::iterator place;
    bool operator<(const Timer& other) const { return due != other.due ? due < other.due : &*place < &*other.place; }
  };

  Action place_first_arrived(TimePoint now);
  Action admit(Requests& from, Requests::iterator place, TimePoint now);
  Action expire(const Timer& timer) noexcept;
  Action start(Host& host, Requests& from, Requests::iterator place, TimePoint now) noexcept;
  bool has_room(const Host& host, TimePoint now) const noexcept;

  const std::size_t most_running_;
  const milliseconds patience_;
  Requests arrived_;
  Requests delayed_;
  std::map<std::string, Host> hosts_;  ///< by origin
  std::set<Timer> timers_;             ///< of all that are delayed or wait
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

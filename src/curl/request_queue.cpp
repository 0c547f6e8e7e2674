#include "src/curl/request_queue.hpp"

#include <algorithm>
#include <new>

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {
namespace {

constexpr const char* not_even_a_connection = "no complete answer in time: not even a connection";

/// A list with only the request at `place`.
Requests taken(Requests& from, Requests::iterator place) noexcept {
  Requests one;
  one.splice(one.end(), from, place);
  return one;
}

RequestQueue::Action completion(Requests request, TransportFault fault, const char* message) noexcept {
  RequestQueue::Action action;
  action.kind = RequestQueue::Action::Kind::complete;
  action.request = std::move(request);
  action.fault = fault;
  action.message = message;
  return action;
}

}  // namespace

RequestQueue::Action RequestQueue::poll(TimePoint now) noexcept {
  try {
    return next_action(now);
  } catch (const std::bad_alloc&) {
    return completion(taken(arrived_, arrived_.begin()), TransportFault::other, "out of memory");
  }
}

/// If it throws std::bad_alloc, it was for the first request of arrived_.
RequestQueue::Action RequestQueue::next_action(TimePoint now) {
  while (!timers_.empty() && timers_.begin()->due <= now) {
    const Timer timer = *timers_.begin();
    timers_.erase(timers_.begin());
    if (timer.list != &delayed_) return expire(timer);
    arrived_.splice(arrived_.begin(), delayed_, timer.place);
    Action action = place_first_arrived(now);
    if (action.kind != Action::Kind::none) return action;
  }
  for (auto& [origin, host] : hosts_) {
    if (host.waiting.empty() || !has_room(host, now)) continue;
    const auto first = host.waiting.begin();
    timers_.erase({first->deadline, &host.waiting, first});
    return start(host, host.waiting, first, now);
  }
  while (!arrived_.empty()) {
    Action action = place_first_arrived(now);
    if (action.kind != Action::Kind::none) return action;
  }
  return {};
}

RequestQueue::Action RequestQueue::place_first_arrived(TimePoint now) {
  const auto first = arrived_.begin();
  if (first->start <= now) return admit_first_arrived(now);
  timers_.insert({first->start, &delayed_, first});
  delayed_.splice(delayed_.end(), arrived_, first);
  return {};
}

/// Starts the request, or lets it wait for its turn. Neither is done if the deadline has passed while the driver's
/// thread was busy.
RequestQueue::Action RequestQueue::admit_first_arrived(TimePoint now) {
  const auto first = arrived_.begin();
  if (first->deadline <= now) return completion(taken(arrived_, first), TransportFault::timeout, not_even_a_connection);
  Host& host = hosts_[first->http.origin];
  if (host.waiting.empty() && has_room(host, now)) return start(host, arrived_, first, now);
  timers_.insert({first->deadline, &host.waiting, first});
  host.waiting.splice(host.waiting.end(), arrived_, first);
  return {};
}

RequestQueue::Action RequestQueue::expire(const Timer& timer) noexcept {
  const Host& host = hosts_.find(timer.place->http.origin)->second;
  const bool busy = host.running >= most_running_;
  return completion(taken(*timer.list, timer.place),
                    busy ? TransportFault::no_free_connection : TransportFault::timeout,
                    busy ? "no connection became free in time: too many calls for CurlOptions::max_connections"
                         : not_even_a_connection);
}

RequestQueue::Action RequestQueue::start(Host& host, Requests& from, Requests::iterator place, TimePoint now) noexcept {
  Action action;
  action.kind = Action::Kind::start;
  action.request = taken(from, place);
  QueuedRequest& request = action.request.front();
  request.turn = now;
  request.host = &host;
  request.generation = host.generation;
  request.connected = false;
  // A connection that other requests use now, and that has not failed since it was opened, is as good as a new one.
  const bool shares = host.protocol == Protocol::http2 && host.standing > 0;
  action.fresh_connection = request.options.fresh_connection && !shares;
  if (host.opening == 0) host.alone_until = now + patience_;
  ++host.opening;
  ++host.running;
  return action;
}

bool RequestQueue::has_room(const Host& host, TimePoint now) const noexcept {
  if (host.running >= most_running_) return false;
  const bool shares = host.protocol == Protocol::http2 && host.standing > 0;
  return host.protocol == Protocol::http1 || shares || host.opening == 0 || host.alone_until <= now;
}

void RequestQueue::connected(QueuedRequest& request, Protocol protocol) noexcept {
  Host& host = *request.host;
  if (protocol == Protocol::unknown && host.protocol == Protocol::unknown) return;  // the answer will show it
  if (protocol != Protocol::unknown) host.protocol = protocol;
  request.connected = true;
  if (request.generation != host.generation) return;
  --host.opening;
  ++host.standing;
}

void RequestQueue::finished(QueuedRequest& request, Protocol protocol, bool connection_failed) noexcept {
  Host& host = *request.host;
  --host.running;
  if (protocol != Protocol::unknown) host.protocol = protocol;
  if (request.generation != host.generation) return;
  --(request.connected ? host.standing : host.opening);
  // libcurl closes a failed HTTP/1.1 connection itself.
  if (!connection_failed || host.protocol != Protocol::http2) return;
  ++host.generation;
  host.opening = 0;
  host.standing = 0;
}

bool RequestQueue::may_share_connections() const noexcept {
  return std::any_of(hosts_.begin(), hosts_.end(), [](const auto& each) {
    return each.second.protocol != Protocol::http1 && each.second.running > 0;
  });
}

Requests RequestQueue::take_stopped() noexcept {
  Requests stopped;
  for (auto at = arrived_.begin(); at != arrived_.end();) {
    const auto request = at++;
    if (request->stopped()) stopped.splice(stopped.end(), arrived_, request);
  }
  for (auto at = timers_.begin(); at != timers_.end();) {
    const Timer timer = *at;
    const bool is_stopped = timer.place->stopped();
    at = is_stopped ? timers_.erase(at) : std::next(at);
    if (is_stopped) stopped.splice(stopped.end(), *timer.list, timer.place);
  }
  return stopped;
}

Requests RequestQueue::take_all() noexcept {
  Requests all;
  for (auto& [origin, host] : hosts_) all.splice(all.end(), host.waiting);
  all.splice(all.end(), delayed_);
  all.splice(all.end(), arrived_);
  timers_.clear();
  return all;
}

TimePoint RequestQueue::next_moment() const noexcept {
  if (!arrived_.empty()) return TimePoint{};
  TimePoint next = timers_.empty() ? never : timers_.begin()->due;
  for (const auto& [origin, host] : hosts_) {
    if (host.waiting.empty() || host.running >= most_running_) continue;
    next = std::min(next, has_room(host, TimePoint{}) ? TimePoint{} : host.alone_until);
  }
  return next;
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

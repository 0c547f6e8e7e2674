#include "tests/simulation/curl_network.hpp"

#include <algorithm>
#include <utility>

namespace wechatpay::bonus_commit::simulation {

using curl::Arrived;
using curl::Protocol;
using curl::QueuedRequest;
using Kind = curl::RequestQueue::Action::Kind;

namespace {

constexpr ErrorKind usual = ErrorKind::transport_failed;
constexpr Fate refused{"the host refuses", false, TransportFault::connect, Outcome::not_sent, false, usual};
constexpr Fate too_slow_to_connect{"no connection in time", false, TransportFault::timeout,
                                   Outcome::not_sent,       false, usual};
constexpr Fate silent{"no answer in time", true, TransportFault::timeout, Outcome::unknown, false, usual};
constexpr Fate dead{"a dead connection", false, TransportFault::timeout, Outcome::unknown, false, usual};
constexpr Fate closing{
    "the server closes a kept connection", false, TransportFault::connection_closed, Outcome::unknown, true, usual};
constexpr Fate stream_refused{
    "the server refuses a stream", false, TransportFault::connection_closed, Outcome::unknown, false, usual};
constexpr Fate unsent{"ended", false, TransportFault::shut_down, Outcome::not_sent, false, usual};
constexpr Fate cut{"ended", true, TransportFault::shut_down, Outcome::unknown, false, usual};
constexpr Fate taken_back{"stopped", false, TransportFault::cancelled, Outcome::not_sent, false, usual};
constexpr Fate given_up{"stopped", true, TransportFault::cancelled, Outcome::unknown, false, usual};

}  // namespace

CurlNetwork::CurlNetwork(World& world, Auditor& auditor, WechatPay& wechat_pay, Weather& weather)
    : world_(world),
      auditor_(auditor),
      wechat_pay_(wechat_pay),
      weather_(weather),
      most_running_(world.tape.one_of({64U, 1U, 2U, 5U})),
      patience_(world.tape.one_of({1000, 50, 5000})),
      queue_(most_running_, patience_),
      protocols_{world.tape.one_of({Protocol::http1, Protocol::http2}),
                 world.tape.one_of({Protocol::http1, Protocol::http2})},
      surprises_per_mille_(world.tape.one_of({0U, 50U, 500U})) {}

std::size_t CurlNetwork::host_of(const HttpRequest& request) const {
  return request.origin == auditor_.call(Auditor::number_in(request.body)).client.origins.front() ? 0 : 1;
}

void CurlNetwork::send(HttpRequest request, SendOptions options, Transport::Completion done) {
  curl::Requests one;
  QueuedRequest& queued = one.emplace_back();
  queued.http = std::move(request);
  queued.options = std::move(options);
  queued.done = std::move(done);
  queued.start = world_.now() + queued.options.delay;
  queued.deadline = queued.start + queued.options.deadline;
  queue_.add(one);
  auto& waiting = waiting_at_[host_of(queued.http)];
  const std::pair last(queued.start, queued.number);
  waiting.insert(std::upper_bound(waiting.begin(), waiting.end(), last), last);
  turn_soon();
  queued.on_stop.emplace(queued.options.stop, [this] { world_.after(milliseconds(0), [this] { stop(); }); });
}

void CurlNetwork::turn_soon() {
  if (std::exchange(turns_soon_, true)) return;
  world_.after(milliseconds(0), [this] {
    turns_soon_ = false;
    turn();
  });
}

/// Does everything that is due now.
void CurlNetwork::turn() {
  if (in_turn_ || ended_) return;
  in_turn_ = true;
  for (auto action = queue_.poll(world_.now()); action.kind != Kind::none && !ended_;
       action = queue_.poll(world_.now())) {
    action.kind == Kind::start ? start(action) : complete(action);
  }
  in_turn_ = false;
  check_waiting();
  sleep();
}

/// The queue gives a request up.
void CurlNetwork::complete(curl::RequestQueue::Action& action) {
  QueuedRequest& request = action.request.front();
  forget(request);
  world_.expect(request.deadline <= world_.now(), "queue", "gives a request up before its time");
  const bool busy = running_at_[host_of(request.http)] >= most_running_;
  const bool says_busy = action.fault == TransportFault::no_free_connection;
  world_.expect(busy || !says_busy, "queue", "misses a place that is free");
  world_.expect(!busy || says_busy || world_.late_since(request.start), "queue",
                "does not say that there was no place");
  request.complete(action.fault, Outcome::not_sent, action.message);
}

void CurlNetwork::forget(const QueuedRequest& request) {
  auto& waiting = waiting_at_[host_of(request.http)];
  waiting.erase(std::lower_bound(waiting.begin(), waiting.end(), std::pair(request.start, request.number)));
}

/// First come, first served.
void CurlNetwork::check_order(const QueuedRequest& request, std::size_t host) const {
  const auto& waiting = waiting_at_[host];
  if (waiting.empty() || world_.late_since(waiting.front().first)) return;
  world_.expect(waiting.front().first >= request.start, "queue", "starts a request before one that waits for longer");
}

/// Where there is room, requests wait only for one that opens a connection, and not for long.
void CurlNetwork::check_waiting() const {
  for (std::size_t host = 0; host < 2 && !ended_; ++host) {
    const auto& waiting = waiting_at_[host];
    const bool waits = !waiting.empty() && waiting.front().first <= world_.now();
    if (!waits || running_at_[host] >= most_running_) continue;
    world_.expect(running_at_[host] > 0, "queue", "lets a request wait for nothing");
    world_.expect(world_.now() < started_at_[host] + patience_, "queue", "lets a request wait for too long");
  }
}

/// Sleeps until the queue's next moment.
void CurlNetwork::sleep() {
  if (wakes_at_ <= world_.now()) wakes_at_ = Steady::max();
  const Steady next = std::max(queue_.next_moment(), world_.now());
  if (ended_ || next >= wakes_at_) return;
  wakes_at_ = next;
  world_.at(next, [this] { turn(); });
}

template <typename Step>
void CurlNetwork::later(std::chrono::nanoseconds time, Running& running, Step step) {
  world_.after(time, [this, &running, number = running.number, step] {
    const bool there = std::any_of(running_.begin(), running_.end(),
                                   [&](const Running& one) { return &one == &running && one.number == number; });
    if (there) (this->*step)(running);
  });
}

milliseconds CurlNetwork::time_left(const Running& running) const {
  const QueuedRequest& request = running.request.front();
  const auto until = std::min(request.deadline, request.turn + request.options.timeout);
  return std::max(std::chrono::ceil<milliseconds>(until - world_.now()), milliseconds(0));
}

void CurlNetwork::start(curl::RequestQueue::Action& action) {
  Running& running = running_.emplace_back();
  running.request.swap(action.request);
  running.number = ++started_;
  QueuedRequest& request = running.request.front();
  const std::size_t host = host_of(request.http);
  forget(request);
  check_order(request, host);
  started_at_[host] = world_.now();
  world_.expect(request.start <= world_.now(), "queue", "starts a request before its time");
  world_.expect(request.deadline > world_.now(), "queue", "starts a request after its deadline");
  world_.expect(++running_at_[host] <= most_running_, "queue", "starts more requests than it may");
  Link* const kept = action.fresh_connection ? nullptr : kept_link(request, host);
  world_.expect(protocols_[host] == Protocol::http1 || failed_generation_[host] != request.generation, "trust",
                "a request may go over a connection that has failed");
  // Over HTTP/2, a connection that other requests are using is allowed.
  world_.expect(kept == nullptr || !request.options.fresh_connection || kept->protocol == Protocol::http2,
                "fresh connection", "a kept one is used");
  if (kept != nullptr) return run_over_kept(running, *kept);
  open(running);
}

/// The keep-alive connection that libcurl would choose.
Link* CurlNetwork::kept_link(const QueuedRequest& request, std::size_t host) {
  for (Link& link : links_) {
    const bool free = link.protocol == Protocol::http2 || link.known.transfers == 0;
    if (link.host == host && link.generation == request.generation && link.stands && free) return &link;
  }
  return nullptr;
}

void CurlNetwork::run_over_kept(Running& running, Link& link) {
  const Arrived arrived = link.known.is_shared(link.protocol) ? Arrived::nothing : link.arrived;
  if (!link.known.may_carry(link.protocol, arrived)) {
    curl::Connections::distrust(link.known);
    link.stands = false;
    return open(running);
  }
  world_.expect(!link.failed || link.protocol == Protocol::http1, "trust", "a connection is used that has failed");
  running.link = &link;
  ++link.users;
  running.kept = true;
  stand(running);
}

void CurlNetwork::open(Running& running) {
  const std::size_t host = host_of(running.request.front().http);
  const milliseconds left = time_left(running);
  if (weather_.refuses(host)) return lose(running, refused);
  if (const Fate* const fate = weather_.next_fate(); fate != nullptr && !fate->arrives &&
                                                     fate->outcome == Outcome::not_sent &&
                                                     fate->fault != TransportFault::no_free_connection) {
    return lose(running, *fate);
  }
  const auto handshake = std::chrono::microseconds(500 + 100 * world_.tape.below(1000));
  if (handshake > left || weather_.hangs(host)) return lose(running, too_slow_to_connect);
  running.link = &links_.emplace_back();
  running.link->users = 1;
  running.link->host = host;
  running.link->generation = running.request.front().generation;
  running.link->protocol = protocols_[host];
  later(handshake, running, &CurlNetwork::stand);
}

/// The connection is established: sends the request.
void CurlNetwork::stand(Running& running) {
  Link& link = *running.link;
  link.stands = true;
  ++link.known.transfers;
  running.begun = true;
  // If libcurl uses another OpenSSL than the library, the negotiated protocol is not reported.
  link.told = link.told || !world_.tape.chance(surprises_per_mille_ / 4);
  queue_.connected(running.request.front(), link.told ? link.protocol : Protocol::unknown);
  leave(running);
  turn_soon();
}

void CurlNetwork::leave(Running& running) {
  Link& link = *running.link;
  const milliseconds left = time_left(running);
  if (link.left_over) {
    HttpResponse response = *std::move(link.left_over);
    link.left_over.reset();
    return finish(running, std::move(response), false);
  }
  if (link.dead) return lose(running, dead);
  if (running.kept && link.protocol == Protocol::http1 && world_.tape.chance(surprises_per_mille_)) {
    return lose(running, closing);
  }
  if (link.protocol == Protocol::http2 && world_.tape.chance(surprises_per_mille_ / 4)) {
    return lose(running, stream_refused);
  }
  if (weather_.hangs(link.host)) return lose(running, silent);
  if (const Fate* const fate = weather_.next_fate(); fate != nullptr && fate->outcome == Outcome::unknown) {
    return lose(running, *fate);
  }
  const auto latency = weather_.latency(left);
  if (latency > left) return lose(running, silent);
  later(latency, running, &CurlNetwork::answer);
}

void CurlNetwork::answer(Running& running) {
  const HttpRequest& request = running.request.front().http;
  const Reply& reply = wechat_pay_.next_reply();
  HttpResponse response = wechat_pay_.arrive(request, reply);
  response.transfer.connection_reused = running.kept;
  Link& link = *running.link;
  after_answer(link, request, reply);
  finish(running, std::move(response), false);
}

/// What the server does with a connection after an answer on it.
void CurlNetwork::after_answer(Link& link, const HttpRequest& request, const Reply& reply) {
  if (!world_.tape.chance(surprises_per_mille_)) return;
  switch (world_.tape.below(4)) {
    case 0: link.arrived = Arrived::end; return;
    case 1: link.dead = true; return;
    case 2:
      if (link.protocol != Protocol::http1) return;
      link.arrived = Arrived::data;
      link.left_over = wechat_pay_.arrive(request, reply);
      return;
    default:
      if (link.protocol != Protocol::http1) return;
      link.arrived = Arrived::data;
      link.left_over = wechat_pay_.timeout_of_idle_connection();
  }
}

/// What has been sent may still arrive.
void CurlNetwork::give_up(Running& running) {
  if (!world_.tape.chance(500)) return;
  world_.after(weather_.latency(milliseconds(1000)), [this, request = running.request.front().http] {
    static_cast<void>(wechat_pay_.arrive(request, wechat_pay_.next_reply()));
  });
}

/// No answer comes.
void CurlNetwork::lose(Running& running, const Fate& fate) {
  const milliseconds left = time_left(running);
  if (fate.arrives) {
    const auto way = world_.tape.one_of({milliseconds(1), left * 20});
    world_.after(way, [this, request = running.request.front().http] {
      static_cast<void>(wechat_pay_.arrive(request, wechat_pay_.next_reply()));
    });
  }
  const bool waits = fate.fault == TransportFault::timeout;
  const auto time = waits
                        ? std::chrono::nanoseconds(left)
                        : std::min<std::chrono::nanoseconds>(left, std::chrono::microseconds(world_.tape.below(9000)));
  world_.after(time, [this, &running, number = running.number, &fate] {
    for (Running& one : running_) {
      if (one.number != number) continue;
      Result<HttpResponse> result = told_of(fate);
      finish(running, std::move(result), fate.outcome == Outcome::unknown && &fate != &stream_refused);
      return;
    }
  });
}

void CurlNetwork::finish(Running& running, Result<HttpResponse> result, bool connection_failed) {
  curl::Requests request;
  request.swap(running.request);
  Protocol protocol = Protocol::unknown;
  if (running.link != nullptr) --running.link->users;
  if (Link* const link = running.link; link != nullptr && running.begun) {
    const bool failed = connection_failed && !result;
    if (result) protocol = link->protocol;
    link->failed = link->failed || failed;
    curl::Connections::leave(link->known);
    const bool times_out = failed && result.error().transport_fault == TransportFault::timeout;
    // libcurl closes broken connections. Over HTTP/2 it keeps using a connection that is only silent.
    if (failed && (link->protocol == Protocol::http1 || !times_out)) link->stands = false;
    if (times_out) curl::Connections::distrust(link->known);
    if (failed && link->told) failed_generation_[link->host] = link->generation;
  }
  --running_at_[host_of(request.front().http)];
  running_.remove_if([&running](const Running& one) { return &one == &running; });
  queue_.finished(request.front(), protocol, connection_failed);
  forget_links();
  turn_soon();
  request.front().complete(std::move(result));
}

void CurlNetwork::forget_links() {
  links_.remove_if([](const Link& link) { return link.users == 0 && !link.stands; });
}

void CurlNetwork::stop() {
  if (ended_) return;
  curl::Requests stopped = queue_.take_stopped();
  for (const QueuedRequest& request : stopped) forget(request);
  for (QueuedRequest& request : stopped) request.complete(told_of(taken_back));
  for (auto at = running_.begin(); at != running_.end();) {
    Running& running = *at++;
    if (!running.request.front().stopped()) continue;
    if (running.begun) give_up(running);
    finish(running, told_of(running.begun ? given_up : taken_back), false);
    at = running_.begin();  // its completion may have ended others
  }
}

void CurlNetwork::end() {
  ended_ = true;
  while (!running_.empty()) {
    Running& running = running_.front();
    if (running.begun) give_up(running);
    finish(running, told_of(running.begun ? cut : unsent), false);
  }
  curl::Requests waiting = queue_.take_all();
  for (QueuedRequest& request : waiting) request.complete(told_of(unsent));
}

}  // namespace wechatpay::bonus_commit::simulation

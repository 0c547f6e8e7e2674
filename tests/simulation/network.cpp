#include "tests/simulation/network.hpp"

#include <memory>
#include <stdexcept>
#include <utility>

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr ErrorKind usual = ErrorKind::transport_failed;

constexpr Fate fates[] = {
    {"lost before the server", false, TransportFault::timeout, Outcome::unknown, false, usual},
    {"lost after the server", true, TransportFault::timeout, Outcome::unknown, false, usual},
    {"no connection", false, TransportFault::connect, Outcome::not_sent, false, usual},
    {"no such host", false, TransportFault::name_lookup, Outcome::not_sent, false, usual},
    {"no TLS", false, TransportFault::tls, Outcome::not_sent, false, usual},
    {"another's certificate", false, TransportFault::tls_verification, Outcome::not_sent, false, usual},
    {"closed before the server", false, TransportFault::connection_closed, Outcome::unknown, false, usual},
    {"closed after the server", true, TransportFault::connection_closed, Outcome::unknown, false, usual},
    {"a kept connection was closed", false, TransportFault::connection_closed, Outcome::unknown, true, usual},
    {"a kept connection closes after the server", true, TransportFault::connection_closed, Outcome::unknown, true,
     usual},
    {"no HTTP", true, TransportFault::answer_malformed, Outcome::unknown, false, usual},
    {"too much", true, TransportFault::answer_too_large, Outcome::unknown, false, usual},
    {"no free connection", false, TransportFault::no_free_connection, Outcome::not_sent, false, usual},
    {"something else", true, TransportFault::other, Outcome::unknown, false, usual},
    {"nothing told", true, TransportFault::none, Outcome::unknown, false, usual},
    {"told in a way of its own", true, TransportFault::none, Outcome::not_sent, false, ErrorKind::internal_error},
    {"told as a refusal", true, TransportFault::none, Outcome::refused, false, ErrorKind::api_error},
    {"told as refused", true, TransportFault::other, Outcome::refused, false, usual},
};

constexpr Fate host_refuses{"the host refuses", false, TransportFault::connect, Outcome::not_sent, false, usual};
constexpr Fate host_hangs{"the host hangs", false, TransportFault::timeout, Outcome::unknown, false, usual};
constexpr Fate too_slow{"too slow", true, TransportFault::timeout, Outcome::unknown, false, usual};
constexpr Fate stopped_before{"stopped", false, TransportFault::cancelled, Outcome::not_sent, false, usual};
constexpr Fate stopped_after{"stopped", true, TransportFault::cancelled, Outcome::unknown, false, usual};
constexpr Fate ended{"ended", true, TransportFault::shut_down, Outcome::unknown, false, usual};
constexpr Fate ended_before{"ended", false, TransportFault::shut_down, Outcome::not_sent, false, usual};

}  // namespace

Error told_of(const Fate& fate) {
  Error error = transport_error(fate.fault, fate.outcome, fate.what);
  error.kind = fate.kind;
  if (fate.kept_connection) error.tries.emplace_back().transfer.connection_reused = true;
  return error;
}

Weather::Weather(World& world) : world_(world) {
  faults_per_mille_ = world.tape.one_of({0U, 20U, 200U, 900U});
  edges_per_mille_ = world.tape.one_of({0U, 20U, 500U});
  const auto share = world.tape.one_of({100U, 1000U, 30U});
  for (const Fate& fate : fates) {
    if (faults_per_mille_ > 0 && world.tape.chance(share)) enabled_.push_back(&fate);
  }
  if (!world.tape.chance(200)) return;
  change(0, 6);
  change(1, 6);
}

/// Hosts fail and recover.
void Weather::change(std::size_t host, int times) {
  if (times == 0) return;
  world_.after(milliseconds(world_.tape.below(60000)), [this, host, times] {
    hosts_[host] = recovered_ ? Health::well : world_.tape.one_of({Health::well, Health::refuses, Health::hangs});
    change(host, times - 1);
  });
}

void Weather::recover() {
  recovered_ = true;
  enabled_.clear();
  edges_per_mille_ = 0;
  hosts_[0] = hosts_[1] = Health::well;
}

const Fate* Weather::next_fate() {
  if (enabled_.empty() || !world_.tape.chance(faults_per_mille_)) return nullptr;
  return enabled_[world_.tape.below(static_cast<std::uint32_t>(enabled_.size()))];
}

std::chrono::nanoseconds Weather::latency(milliseconds limit) {
  if (edges_per_mille_ > 0 && world_.tape.chance(edges_per_mille_)) {
    return world_.tape.one_of({milliseconds(0), limit - milliseconds(1), limit, limit + milliseconds(1), limit * 10});
  }
  return std::chrono::microseconds(1000 + 64 * world_.tape.below(1024));
}

void Network::end() {
  for (std::size_t slot = 0; slot < pending_.size(); ++slot) {
    if (pending_[slot].number != 0) give_up(slot, pending_[slot].left ? ended : ended_before);
  }
}

/// What has left may still arrive.
void Network::give_up(std::size_t slot, const Fate& fate) {
  HttpRequest& request = pending_[slot].request;
  const bool on_its_way = request.body.empty();  // fail_later() has taken it
  if (fate.arrives && !on_its_way && world_.tape.chance(500)) {
    arrive_after(weather_.latency(milliseconds(1000)), std::make_shared<const HttpRequest>(std::move(request)));
  }
  complete(slot, told_of(fate));
}

void Network::arrive_after(std::chrono::nanoseconds time, std::shared_ptr<const HttpRequest> request) {
  world_.after(time, [this, request = std::move(request)] {
    const Reply& reply = wechat_pay_.next_reply();
    static_cast<void>(wechat_pay_.arrive(*request, reply));
  });
}

std::size_t Network::host_of(const HttpRequest& request) const {
  return request.origin == auditor_.call(Auditor::number_in(request.body)).client.origins.front() ? 0 : 1;
}

std::size_t Network::place(HttpRequest&& request, Completion&& done) {
  if (free_.empty()) {
    free_.push_back(pending_.size());
    pending_.emplace_back();
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  Pending& pending = pending_[slot];
  pending.request = std::move(request);
  pending.done = std::move(done);
  pending.number = ++sent_;
  pending.left = false;
  return slot;
}

void Network::send(HttpRequest request, SendOptions options, Completion done) {
  if (manners_.throws && world_.tape.chance(100)) throw std::runtime_error("the transport's own exception");
  if (manners_.drops && world_.tape.chance(100)) return;
  if (manners_.within_send || (manners_.sometimes_within_send && world_.tape.chance(500))) {
    const bool again = manners_.twice && world_.tape.chance(300);
    const Result<HttpResponse> result = at_once(request, options);
    done(result);
    if (again) done(result);
    return;
  }
  const StopToken stop = std::move(options.stop);
  const std::size_t slot = place(std::move(request), std::move(done));
  const std::uint64_t number = pending_[slot].number;
  const milliseconds limit = std::min(options.timeout, options.deadline);
  if (options.delay > milliseconds(0)) {
    world_.after(options.delay, [this, slot, number, limit] {
      if (pending_[slot].number == number) leave(slot, limit);
    });
  } else {
    leave(slot, limit);
  }
  if (manners_.throws && world_.tape.chance(50)) throw std::runtime_error("after it was taken");
  if (!manners_.ignores_stops) pending_[slot].stop.emplace(stop, Stopped{this, slot});
}

/// Decides now what happens to the request later.
void Network::leave(std::size_t slot, milliseconds limit) {
  Pending& pending = pending_[slot];
  pending.left = true;
  if (manners_.never && world_.tape.chance(100)) return;
  const std::size_t host = host_of(pending.request);
  if (weather_.refuses(host)) return fail_later(slot, host_refuses, limit);
  if (weather_.hangs(host)) return fail_later(slot, host_hangs, limit);
  if (const Fate* const fate = weather_.next_fate()) return fail_later(slot, *fate, limit);
  const auto latency = weather_.latency(limit);
  if (latency > limit) return fail_later(slot, too_slow, limit);
  const std::uint64_t number = pending.number;
  world_.after(latency, [this, slot, number] {
    if (pending_[slot].number != number) return;
    const Reply& reply = wechat_pay_.next_reply();
    complete(slot, wechat_pay_.arrive(pending_[slot].request, reply));
  });
}

void Network::fail_later(std::size_t slot, const Fate& fate, milliseconds limit) {
  const bool takes_all = fate.fault == TransportFault::timeout;
  const auto time = takes_all ? limit : std::chrono::nanoseconds(weather_.latency(limit));
  if (fate.arrives) {
    // The request may arrive much later than the client assumes, or twice.
    const auto request = std::make_shared<const HttpRequest>(std::move(pending_[slot].request));
    const auto way = world_.tape.one_of({milliseconds(1), limit, limit * 20});
    const bool twice = world_.tape.chance(100);
    arrive_after(way, request);
    if (twice) arrive_after(way * 3, request);
  }
  complete_after(std::min<std::chrono::nanoseconds>(time, limit), slot, told_of(fate));
}

void Network::complete_after(std::chrono::nanoseconds time, std::size_t slot, Result<HttpResponse> result) {
  const std::uint64_t number = pending_[slot].number;
  world_.after(time, [this, slot, number, result = std::move(result)]() mutable {
    if (pending_[slot].number == number) complete(slot, std::move(result));
  });
}

void Network::complete(std::size_t slot, Result<HttpResponse> result) {
  Pending& pending = pending_[slot];
  pending.stop.reset();
  const Completion done = std::exchange(pending.done, nullptr);
  pending.number = 0;
  free_.push_back(slot);
  if (!manners_.twice || !world_.tape.chance(300)) return done(std::move(result));
  done(result);
  // The second completion may come much later, during the call's next try or after the call's end.
  world_.after(milliseconds(world_.tape.below(300)), [done, result] { done(result); });
}

void Network::stop(std::size_t slot) {
  world_.expect(!world_.forked, "fork", "a stop in a child process reaches its parent's calls");
  if (pending_[slot].number == 0) return;
  const std::uint64_t number = pending_[slot].number;
  world_.after(std::chrono::nanoseconds(0), [this, slot, number] {
    if (pending_[slot].number != number) return;
    give_up(slot, pending_[slot].left ? stopped_after : stopped_before);
  });
}

Result<HttpResponse> Network::at_once(const HttpRequest& request, const SendOptions& options) {
  world_.spend(options.delay);
  const Fate* const fate = weather_.next_fate();
  if (fate == nullptr || fate->arrives) {
    const Reply& reply = wechat_pay_.next_reply();
    HttpResponse response = wechat_pay_.arrive(request, reply);
    if (fate == nullptr) return response;
  }
  return told_of(*fate);
}

void Witness::send(HttpRequest request, SendOptions options, Completion done) {
  const unsigned number = Auditor::number_in(request.body);
  const std::size_t which = auditor_.call(number).tries.size();
  auditor_.sent(number, request, options);
  wire_.send(std::move(request), std::move(options),
             [&auditor = auditor_, number, which, done = std::move(done)](Result<HttpResponse> response) {
               auditor.ended(number, which, response);
               done(std::move(response));
             });
}

}  // namespace wechatpay::bonus_commit::simulation

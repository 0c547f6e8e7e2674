#include "tests/simulation/relay_process.hpp"

#include <utility>

#include "tests/simulation/relay_world.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

using outbox::Relay;
using outbox::RelayEnd;

class RunsTransport final : public Transport {
 public:
  explicit RunsTransport(Run& run) : run_(run) {}
  ~RunsTransport() override { run_.end_requests(); }
  void send(HttpRequest request, SendOptions options, Completion done) override {
    run_.send(std::move(request), options, std::move(done));
  }

 private:
  Run& run_;
};

constexpr Fate lost{"the host hangs", false, TransportFault::timeout,
                    Outcome::unknown, false, ErrorKind::transport_failed};
constexpr Fate too_slow{"too slow",       true,  TransportFault::timeout,
                        Outcome::unknown, false, ErrorKind::transport_failed};
constexpr Fate refused{"the host refuses", false, TransportFault::connect,
                       Outcome::not_sent,  false, ErrorKind::transport_failed};
constexpr Fate cancelled{"stopped",         false, TransportFault::cancelled,
                         Outcome::not_sent, false, ErrorKind::transport_failed};
constexpr Fate cancelled_late{"stopped",        true,  TransportFault::cancelled,
                              Outcome::unknown, false, ErrorKind::transport_failed};
constexpr Fate ended_early{"ended",           false, TransportFault::shut_down,
                           Outcome::not_sent, false, ErrorKind::transport_failed};
constexpr Fate ended_late{"ended",          true,  TransportFault::shut_down,
                          Outcome::unknown, false, ErrorKind::transport_failed};

}  // namespace

Run::Run(RelayWorld& relays, std::size_t worker, unsigned number)
    : relays_(relays),
      world_(relays.world),
      worker_(worker),
      number_(number),
      process_(relays.auditor.start()),
      clocks_apart_(world_.tape.below(1000)),
      wall_apart_(world_.tape.one_of({0, 100, -200})) {
  make_client();
  make_relay();
  wake(world_.now());
}

Steady Run::now() const { return std::max(world_.now(), busy_until_); }

void Run::make_client() {
  relays_.wechat_pay.add_key_to(keys_, 1);
  ClientOptions options = relays_.client_options;
  options.steady_clock = [this] { return boot_now(); };
  options.clock = [this] { return wall(); };
  options.random = [this] { return world_.tape.below(1001) / 1000.0; };
  options.nonce = [this] { return nonce(); };
  options.hooks.on_call = [this](const CallEvent& event) { note_call(event); };
  auto credentials = Credentials::from_signer("1900000001", "01AB", relays_.wechat_pay.merchant().signer);
  auto made =
      BonusCommitClient::create(*std::move(credentials), keys_, std::make_shared<RunsTransport>(*this), options);
  world_.expect(made.has_value(), "options", "good ones are refused");
  client_.emplace(*std::move(made));
}

void Run::make_relay() {
  outbox::RelayTime time;
  time.now = [this] { return steady_now(); };
  time.lease_now = [this] { return outbox::Lease::Clock::time_point((boot_now() + spent_).time_since_epoch()); };
  time.random = [this] { return world_.tape.below(1001) / 1000.0; };
  time.new_token = [this] { return nonce(); };
  const auto open = [this] {
    const auto spend = [this](std::chrono::nanoseconds duration) { spent_ += duration; };
    const auto spent = [this] { return spent_; };
    return relays_.database.connect({process_, [this] { return now(); }, spend, spent, relays_.options.lease});
  };
  const auto say = [this](const std::string& line) {
    if (world_.logs()) world_.log("worker " + std::to_string(worker_) + ": " + line);
  };
  relay_ = std::make_unique<Relay>(relays_.options, open, *client_, say, time);
}

Result<std::string> Run::nonce() { return hex(number_, 8) + hex(++nonces_, 24); }

void Run::wake(Steady at) {
  at = std::max(at, now());
  if (gone() || at >= wakes_at_) return;
  wakes_at_ = at;
  world_.at(at, [this, at] {
    if (gone() || wakes_at_ != at) return;
    wakes_at_ = Steady::max();
    now() > world_.now() ? wake(now()) : round();
  });
}

void Run::round() {
  at_work_ = true;
  const auto next = relay_->work();
  at_work_ = false;
  const auto spent = std::exchange(spent_, std::chrono::nanoseconds(0));
  if (gone()) return;
  if (spent.count() > 0) pause(spent, false);
  if (!next) return finish(relay_->end());
  const Steady soon = steady_now() + std::chrono::microseconds(50);
  wake(std::max(*next, soon) - clocks_apart_ + process_.slept);
}

void Run::finish(RelayEnd end) {
  if (world_.logs()) world_.log("worker " + std::to_string(worker_) + " ends");
  const milliseconds longest = outbox::Lease::deadline(relays_.options.lease) + seconds(5);
  relays_.auditor.finishes(process_, end, now() - process_.slept, longest);
  if (end == RelayEnd::stopped) {
    for (const auto& [id, live] : relays_.database.tables.live) {
      const bool kept = process_.tokens.count(live.claim) > 0 && process_.claims.count(id) > 0;
      if (kept && !relays_.auditor.story(id).excused) {
        world_.fail("stop", "a worker that was stopped keeps row " + std::to_string(id));
      }
    }
  } else {
    relays_.auditor.excuse(process_);
  }
  crash();
}

void Run::crash() {
  if (gone()) return;
  world_.log("a worker's process ends");
  relays_.auditor.excuse(process_);
  process_.gone = true;
  relay_.reset();
  client_.reset();
  relays_.restart(worker_);
}

void Run::stop() {
  if (gone()) return;
  process_.stopping = true;
  process_.ends_since = process_.ends_since.value_or(now() - process_.slept);
  relay_->request_stop();
  wake(now());
}

void Run::pause(std::chrono::nanoseconds time, bool sleeps) {
  if (gone()) return;
  if (world_.logs()) world_.log("worker " + std::to_string(worker_) + " pauses");
  if (time > relays_.options.lease / 4) {
    relays_.auditor.excuse(process_);
    relays_.auditor.worker_sleeps();
  }
  busy_until_ = now() + time;
  if (sleeps) process_.slept += time;
}

void Run::lose_connection() {
  relays_.auditor.excuse(process_);
  ++process_.cuts;
}

void Run::note_call(const CallEvent& event) {
  if (event.tries > 0) relays_.auditor.ended(process_, Auditor::number_of(event.out_trade_no), now(), event.result);
}

// Its connections.

std::size_t Run::host_of(const HttpRequest& request) const {
  return request.origin == relays_.client_options.origins.front() ? 0 : 1;
}

void Run::send(HttpRequest request, const SendOptions& options, Transport::Completion done) {
  const unsigned order = Auditor::number_in(request.body);
  const std::int64_t id = relays_.auditor.held(process_, order);
  const auto live = relays_.database.tables.live.find(id);
  milliseconds lease_left{0};
  if (live != relays_.database.tables.live.end() && process_.tokens.count(live->second.claim) > 0) {
    const auto left = live->second.due - relays_.database.time_at(now() + spent_);
    lease_left = std::chrono::duration_cast<milliseconds>(left);
  }
  relays_.auditor.sent(process_, order, now(), lease_left, relays_.client_options.timeout);
  if (id != 0 && relays_.auditor.story(id).poison) world_.after(milliseconds(1), [this] { crash(); });
  const std::uint64_t number = ++requests_;
  pending_[number].done = std::move(done);
  pending_[number].order = order;
  const milliseconds limit = std::min(options.timeout, options.deadline);
  world_.at(now() + options.delay,
            [this, number, request = std::move(request), limit] { leave(number, request, limit); });
  pending_[number].stop.emplace(options.stop, Stopped{this, number});
}

/// Decides now what happens to the request later.
void Run::leave(std::uint64_t number, const HttpRequest& request, milliseconds limit) {
  const auto pending = pending_.find(number);
  if (pending == pending_.end()) return;
  pending->second.left = true;
  const std::size_t host = host_of(request);
  if (relays_.weather.refuses(host)) return complete_later(milliseconds(1), number, refused);
  if (relays_.weather.hangs(host)) return complete_later(limit, number, lost);
  const Fate* const fate = relays_.weather.next_fate();
  const auto latency = relays_.weather.latency(limit);
  if (fate == nullptr && latency <= limit) return arrive_later(latency, request, number);
  const Fate& ends = fate != nullptr ? *fate : too_slow;
  if (ends.arrives) arrive_later(world_.tape.one_of({milliseconds(1), limit, limit * 20}), request, 0);
  const bool waits = ends.fault == TransportFault::timeout;
  complete_later(waits ? limit : std::min<std::chrono::nanoseconds>(latency, limit), number, ends);
}

/// WeChat Pay receives it, whatever becomes of the process. `answered`: the
/// request that gets the answer, or 0.
void Run::arrive_later(std::chrono::nanoseconds time, const HttpRequest& request, std::uint64_t answered) {
  world_.after(time, [this, request, answered] {
    const Reply& reply = relays_.wechat_pay.next_reply();
    HttpResponse response = relays_.wechat_pay.arrive(request, reply);
    if (answered != 0) complete(answered, std::move(response));
  });
}

void Run::complete_later(std::chrono::nanoseconds time, std::uint64_t number, const Fate& fate) {
  world_.after(time, [this, number, &fate] { complete(number, told_of(fate)); });
}

void Run::complete(std::uint64_t number, Result<HttpResponse> result) {
  if (busy_until_ > world_.now() && !gone()) {
    world_.at(busy_until_, [this, number, result = std::move(result)] { complete(number, result); });
    return;
  }
  auto pending = pending_.extract(number);
  if (pending.empty()) return;
  note_answer(pending.mapped().order, result);
  pending.mapped().stop.reset();
  pending.mapped().done(std::move(result));
  if (!at_work_) wake(world_.now());
}

void Run::note_answer(unsigned order, const Result<HttpResponse>& result) {
  const Answered* answer = nullptr;
  if (result) answer = &relays_.orders.answer_with(header_value(result->headers, "Request-ID"));
  relays_.auditor.answered(process_, order, answer, result, wall());
}

void Run::stop_request(std::uint64_t number) {
  world_.after(milliseconds(0), [this, number] {
    const auto pending = pending_.find(number);
    if (pending != pending_.end()) complete(number, told_of(pending->second.left ? cancelled_late : cancelled));
  });
}

void Run::end_requests() {
  while (!pending_.empty()) {
    auto pending = pending_.extract(pending_.begin());
    pending.mapped().stop.reset();
    pending.mapped().done(told_of(pending.mapped().left ? ended_late : ended_early));
  }
}

}  // namespace wechatpay::bonus_commit::simulation

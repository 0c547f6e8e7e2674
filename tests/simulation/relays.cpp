#include "tests/simulation/relays.hpp"

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "src/outbox/relay.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/outbox_tables.hpp"
#include "tests/simulation/relay_auditor.hpp"
#include "tests/simulation/wechat_pay.hpp"
#include "wechatpay/bonus_commit/client.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

using outbox::Relay;
using outbox::RelayEnd;

class RelayWorld;

/// One process of a worker: a relay, its client, and its connections to WeChat Pay. It stays until the end of the
/// world, because events refer to it.
class Run {
 public:
  Run(RelayWorld& relays, std::size_t worker, unsigned number);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { crash(); }

  /// Ends the process at once.
  void crash();

  /// Asks the relay to stop.
  void stop();

  /// The process does nothing for some time. If its machine sleeps, its steady clock stops, too.
  void pause(std::chrono::nanoseconds time, bool sleeps);

  bool gone() const { return process_.gone; }

  void send(HttpRequest request, const SendOptions& options, Transport::Completion done);
  void end_requests();

 private:
  struct Stopped {
    Run* run;
    std::uint64_t number;
    void operator()() const { run->stop_request(number); }
  };
  struct Pending {
    Transport::Completion done{};
    std::optional<StopCallback<Stopped>> stop{};
    bool left = false;
  };

  Steady now() const;
  Steady steady_now() const { return now() + clocks_apart_ - slept_; }
  Steady boot_now() const { return now() + clocks_apart_; }
  void make_client();
  void make_relay();
  void wake(Steady at);
  void round();
  void finish(RelayEnd end);
  void note_call(const CallEvent& event);
  void leave(std::uint64_t number, const HttpRequest& request, milliseconds limit);
  void arrive_later(std::chrono::nanoseconds time, const HttpRequest& request, std::uint64_t answered);
  void complete(std::uint64_t number, Result<HttpResponse> result);
  void complete_later(std::chrono::nanoseconds time, std::uint64_t number, const Fate& fate);
  void stop_request(std::uint64_t number);
  std::size_t host_of(const HttpRequest& request) const;
  Result<std::string> nonce();

  RelayWorld& relays_;
  World& world_;
  const std::size_t worker_;
  const unsigned number_;  ///< of this process
  Process& process_;
  const std::chrono::hours clocks_apart_;
  const seconds wall_apart_;
  std::chrono::nanoseconds slept_{0};
  std::chrono::nanoseconds spent_{0};  ///< on slow statements of this round, whose answers all come at its end: within
                                       ///< a round, the process may not do what others could see before it happens
  Steady busy_until_{};                ///< the process is busy, stopped or asleep until then
  PlatformKeys keys_;
  std::optional<BonusCommitClient> client_;
  std::unique_ptr<Relay> relay_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t requests_ = 0;
  unsigned nonces_ = 0;
  Steady wakes_at_ = Steady::max();
  bool at_work_ = false;
};

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

class RelayWorld {
 public:
  explicit RelayWorld(World& world_);

  void run(Figures& figures);

  World& world;
  Auditor orders;
  WechatPay wechat_pay;
  Weather weather;
  RelayAuditor auditor;
  Database database;
  outbox::RelayOptions options;
  ClientOptions client_options;

  void start(std::size_t worker);
  /// The process of `worker` has ended: a supervisor starts another.
  void restart(std::size_t worker);
  bool finishing() const { return finishing_; }

 private:
  void draw_options();
  void insert_orders(seconds window);
  void insert(std::uint32_t kind);
  void plan_fault(seconds window);
  void recover();
  bool all_settled() const;
  void check_rows() const;
  Run& run_of(std::uint32_t worker) { return *running_[worker % running_.size()]; }

  ClientAccount* account_ = nullptr;
  std::deque<Run> runs_;
  std::vector<Run*> running_;
  std::uint32_t to_insert_ = 0;
  bool recovered_ = false;
  bool finishing_ = false;
};

// The process.

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
  options.clock = [this] { return world_.true_time() + (now() - world_.now()) + wall_apart_; };
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
  time.lease_now = [this] { return outbox::Lease::Clock::time_point(boot_now().time_since_epoch()); };
  time.random = [this] { return world_.tape.below(1001) / 1000.0; };
  time.new_token = [this] { return nonce(); };
  const auto open = [this] {
    const auto spend = [this](std::chrono::nanoseconds duration) { spent_ += duration; };
    return relays_.database.connect({process_, [this] { return now(); }, spend, relays_.options.lease});
  };
  const auto say = [this](const std::string& line) {
    if (world_.logs()) world_.log("worker " + std::to_string(worker_) + ": " + line);
  };
  relay_ = std::make_unique<Relay>(relays_.options, open, *client_, say, time);
}

Result<std::string> Run::nonce() {
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%08X%024X", number_, ++nonces_);
  return std::string(text, static_cast<std::size_t>(size));
}

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
  wake(std::max(*next, soon) - clocks_apart_ + slept_);
}

void Run::finish(RelayEnd end) {
  if (world_.logs()) world_.log("worker " + std::to_string(worker_) + " ends");
  if (end == RelayEnd::stopped) {
    world_.expect(process_.stopping, "stop", "a worker stops that nobody has asked to");
    for (const auto& [id, live] : relays_.database.tables.live) {
      const bool kept = process_.tokens.count(live.claim) > 0 && process_.claims.count(id) > 0;
      world_.expect(!kept || relays_.auditor.story(id).excused, "stop", "a worker that was stopped keeps a row");
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
  if (sleeps) slept_ += time;
}

void Run::note_call(const CallEvent& event) {
  if (event.tries > 0) relays_.auditor.ended(process_, Auditor::number_of(event.out_trade_no), event.result);
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
    const auto left = live->second.due - relays_.database.time_at(now());
    lease_left = std::chrono::duration_cast<milliseconds>(left);
  }
  relays_.auditor.sent(process_, order, lease_left, relays_.client_options.deadline);
  if (id != 0 && relays_.auditor.story(id).poison) world_.after(milliseconds(1), [this] { crash(); });
  const std::uint64_t number = ++requests_;
  pending_[number].done = std::move(done);
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
  const Fate& ends = fate != nullptr ? *fate : lost;
  if (ends.arrives) arrive_later(world_.tape.one_of({milliseconds(1), limit, limit * 20}), request, 0);
  const bool waits = ends.fault == TransportFault::timeout;
  complete_later(waits ? limit : std::min<std::chrono::nanoseconds>(latency, limit), number, ends);
}

/// WeChat Pay receives it, whatever becomes of the process. `answered`: the request that gets the answer, or 0.
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
  pending.mapped().stop.reset();
  pending.mapped().done(std::move(result));
  if (!at_work_) wake(world_.now());
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

// The world.

RelayWorld::RelayWorld(World& world_)
    : world(world_),
      orders(world),
      wechat_pay(world, orders, false),
      weather(world),
      auditor(world),
      database(world, orders, auditor) {
  draw_options();
  account_ = &orders.add_client(client_options);
}

void RelayWorld::draw_options() {
  Tape& tape = world.tape;
  options.owner.merchant = "1900000001";
  options.lease = seconds(tape.one_of({90, 3, 30, 720}));
  options.max_in_flight = tape.one_of({64U, 1U, 2U, 16U});
  options.pace.per_second = tape.one_of({0.0, 0.0, 10.0, 100.0});
  options.fair = tape.chance(200);
  options.delay = seconds(tape.one_of({0, 0, 5}));
  options.giving_up.ever = tape.chance(800);
  options.giving_up.age = std::chrono::hours(tape.one_of({72, 0}));
  options.giving_up.attempts = tape.one_of({12, 3});
  client_options.deadline = outbox::Lease::deadline(options.lease);
  client_options.rate_limit.per_second = options.pace.per_second;
  client_options.rate_limit.longest_pause = seconds(1);
}

void RelayWorld::start(std::size_t worker) {
  if (finishing_ || !running_[worker]->gone()) return;
  running_[worker] = &runs_.emplace_back(*this, worker, static_cast<unsigned>(runs_.size()));
}

void RelayWorld::restart(std::size_t worker) {
  if (finishing_) return;
  world.after(seconds(world.tape.one_of({1, 5, 60})), [this, worker] { start(worker); });
}

void RelayWorld::insert(std::uint32_t kind) {
  --to_insert_;
  const bool again = kind == 1 || kind == 2;  // another row of an order, with the same points or with others
  const unsigned number = again && orders.calls() > 0 ? world.tape.below(static_cast<std::uint32_t>(orders.calls()))
                                                      : orders.begin(*account_, milliseconds(0));
  BonusCommitRequest order{
      "478515832665", "478515832665", "T" + std::to_string(number), "1230000109", "1900000109", 30, MerchantMode::both};
  if (options.fair) order.sub_mchid = std::to_string(1900000101 + number % 3);
  if (kind == 2) order.bonus_value = 31;
  RowStory& story = auditor.add(number);
  for (const auto& [id, other] : auditor.stories()) {
    const bool twin = &other != &story && other.order == number;
    if (twin) auditor.story(id).twin = story.twin = true;
  }
  story.wrong = kind == 3;
  if (story.wrong) order.bonus_value = 0;
  story.poison = kind == 4;
  story.cursed = kind == 5;
  database.insert(order);
}

void RelayWorld::insert_orders(seconds window) {
  to_insert_ = world.tape.one_of({1U, 5U, 20U, 60U, 150U});
  const bool odd = world.tape.chance(300);
  const bool at_once = world.tape.chance(500);
  for (std::uint32_t i = 0; i < to_insert_; ++i) {
    const std::uint32_t kind = odd && world.tape.chance(100) ? world.tape.below(6) : 0;
    const auto moment = at_once ? milliseconds(0) : milliseconds(window) * world.tape.below(1000) / 1000;
    world.after(moment, [this, kind] { insert(kind); });
  }
}

void RelayWorld::plan_fault(seconds window) {
  Tape& tape = world.tape;
  const std::uint32_t worker = tape.below(8);
  const auto moment = milliseconds(window) * tape.below(1000) / 1000;
  milliseconds time = options.lease * tape.one_of({1, 2, 3, 5}) / 3;
  time += milliseconds(tape.below(1000));
  switch (tape.below(9)) {
    case 0: return world.after(moment, [this, worker] { run_of(worker).crash(); });
    case 1: return world.after(moment, [this, worker] { run_of(worker).stop(); });
    case 2: return world.after(moment, [this, worker, time] { run_of(worker).pause(time, false); });
    case 3: return world.after(moment, [this, worker, time] { run_of(worker).pause(time, true); });
    case 4: return world.after(moment, [this, time] { database.go_down(time); });
    case 5: return world.after(moment, [this] { database.fail_over(); });
    case 6: {
      world.after(moment, [this] { database.keep_copy(); });
      const auto lag = milliseconds(tape.one_of({1, 50, 1000, 20000}));
      return world.after(moment + lag, [this] { database.fail_over_to_copy(); });
    }
    case 7: {
      const auto by = seconds(tape.one_of({1, -1, 60, -60, 3600, -3600}));
      return world.after(moment, [this, by] { database.set_clock(by); });
    }
    default: break;
  }
}

void RelayWorld::recover() {
  recovered_ = true;
  wechat_pay.recover();
  weather.recover();
  database.recover();
  for (const auto& [id, story] : auditor.stories()) auditor.story(id).cursed = false;
}

bool RelayWorld::all_settled() const { return recovered_ && to_insert_ == 0 && database.tables.live.empty(); }

void RelayWorld::check_rows() const {
  for (const auto& [id, story] : auditor.stories()) {
    const bool there = database.tables.settled.count(id) > 0;
    world.expect(there || story.lost, "lost", "a row is neither done nor dead");
  }
}

void RelayWorld::run(Figures& figures) {
  constexpr std::chrono::hours longest{12};  // rows wait for up to 72 minutes, and the database's clock may be set back
  const auto window = seconds(world.tape.one_of({60, 10, 600, 2400}));
  const std::uint32_t workers = world.tape.one_of({2U, 1U, 3U, 5U});
  for (std::uint32_t i = 0; i < workers; ++i) running_.push_back(&runs_.emplace_back(*this, i, i));
  insert_orders(window);
  for (std::uint32_t i = world.tape.below(6); i > 0; --i) plan_fault(window);
  world.after(window + seconds(30), [this] { recover(); });
  const Steady end = world.now() + window + longest;
  while (!all_settled()) {
    world.expect(world.step() && world.now() < end, "ends", "a row waits for ever");
  }
  finishing_ = true;
  for (Run& run : runs_) run.stop();
  while (world.step()) {
  }
  for (const Run& run : runs_) world.expect(run.gone(), "ends", "a worker goes on after it was told to stop");
  check_rows();
  ++figures.relay_worlds;
  figures.rows += auditor.stories().size();
  figures.relay_calls += auditor.calls();
  figures.processes += runs_.size();
}

}  // namespace

void run_relays(World& world, Figures& figures) { RelayWorld(world).run(figures); }

}  // namespace wechatpay::bonus_commit::simulation

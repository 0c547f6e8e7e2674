#include "tests/simulation/relays.hpp"

#include "tests/simulation/relay_world.hpp"

namespace wechatpay::bonus_commit::simulation {

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
  auditor.giving_up = options.giving_up;
  auditor.per_second = options.pace.per_second;
  auditor.delay = options.delay;
  client_options.timeout = outbox::Lease::deadline(options.lease);
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
  order.card_id += std::to_string(number % 2);
  RowStory& story = auditor.add(number);
  story.merchant = order.mchid + "/" + order.sub_mchid;
  story.card = story.merchant + "/" + order.card_id;
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
  // At any time, or at the beginning, when rows may wait in the workers' queues.
  const milliseconds range = tape.one_of({window, seconds(3)});
  const milliseconds moment = range * tape.below(1000) / 1000;
  milliseconds time = options.lease * tape.one_of({1, 2, 3, 5}) / 3;
  time += milliseconds(tape.below(1000));
  const std::uint32_t fault = tape.below(10);
  switch (fault) {
    case 0: return world.after(moment, [this, worker] { run_of(worker).crash(); });
    case 1: return world.after(moment, [this, worker] { run_of(worker).stop(); });
    case 2:
    case 3: {
      const bool sleeps = fault == 3;
      const bool cut = tape.chance(500);
      return world.after(moment, [this, worker, time, sleeps, cut] {
        run_of(worker).pause(time, sleeps);
        if (cut) run_of(worker).lose_connection();
      });
    }
    case 4: return world.after(moment, [this, time] { database.go_down(time); });
    case 5: return world.after(moment, [this] { database.fail_over(); });
    case 6: {
      world.after(moment, [this] { database.keep_copy(); });
      const auto lag = milliseconds(tape.one_of({1, 50, 1000, 20000}));
      return world.after(moment + lag, [this] { database.fail_over_to_copy(); });
    }
    case 8: return world.after(moment, [this] { database.resume(); });
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
  constexpr std::chrono::hours longest{12};  // rows wait for up to 72 minutes, and the database's clock may be
                                             // set back
  const auto window = seconds(world.tape.one_of({60, 10, 600, 2400}));
  const std::uint32_t workers = world.tape.one_of({2U, 1U, 3U, 4U, 5U});
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

void run_relays(World& world, Figures& figures) { RelayWorld(world).run(figures); }

}  // namespace wechatpay::bonus_commit::simulation

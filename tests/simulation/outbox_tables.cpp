#include "tests/simulation/outbox_tables.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <type_traits>

#include "src/outbox/decisions.hpp"
#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit::simulation {

using outbox::Claim;
using outbox::DatabaseError;
using outbox::Fate;
using outbox::HeldRow;
using outbox::Merchant;
using outbox::Settlement;

/// One connection. A statement may have no effect, or an effect without an answer; after that the connection is broken.
class SimulatedStore final : public outbox::Store {
 public:
  SimulatedStore(Database& database, StoreUse use)
      : database_(database), use_(std::move(use)), generation_(database.generation_), cuts_(use_.process.cuts) {}

  void check_connection() const {
    if (use_.now() < database_.down_until_) fail({"the server is down", "57P03", true});
    if (generation_ != database_.generation_ || use_.process.cuts != cuts_) {
      fail({"the connection was cut", "57P01", true});
    }
  }

  void open(const outbox::Owner& /*owner*/) override {
    statement([] { return 0; });
  }

  std::vector<outbox::Row> claim(const Claim& claim) override {
    auto rows = statement([&] {
      check_claim(claim);
      return take(claim);
    });
    for (const outbox::Row& row : rows) {
      const auto age = now() - database_.tables.live.at(row.id).created;
      database_.auditor_.claimed(use_.process, row, claim.token, age);
      if (!has_settled_) first_ = {row.id, claim.token};
    }
    return rows;
  }

  bool waits_for_rate() const override { return waits_for_rate_; }

  std::vector<Merchant> merchants_due(const Claim& claim) override {
    return statement([&] {
      std::set<Merchant> due;
      for (const auto& [id, live] : database_.tables.live) {
        if (is_due(live, claim)) due.insert(merchant_of(live));
      }
      return std::vector<Merchant>(due.begin(), due.end());
    });
  }

  std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, milliseconds lease) override {
    return statement([&] {
      std::vector<HeldRow> held;
      for (const HeldRow& row : rows) {
        LiveRow* const live = find(row.id, row.token);
        if (live == nullptr) continue;
        live->due = lease_end(lease);
        held.push_back(row);
      }
      return held;
    });
  }

  outbox::Settled settle(const std::vector<Settlement>& settlements) override {
    return statement([&] {
      for (const Settlement& one : settlements) refuse_cursed(one);
      outbox::Settled settled;
      for (const Settlement& one : settlements) write(one, settled);
      database_.auditor_.has_settled(use_.process, use_.now());
      has_settled_ = has_settled_ || settled.done + settled.dead + settled.back > 0;
      return settled;
    });
  }

  void halt(const std::string& /*merchant*/, milliseconds time, const std::string& /*why*/) override {
    statement([&] {
      const DatabaseTime before = is_halted() ? database_.tables.halted_until : DatabaseTime(0);
      return DatabaseTime(database_.tables.halted_until = std::max(before, now() + time));
    });
  }

  std::string last_resume() override {
    const unsigned resumes = statement([&] { return database_.tables.resumes; });
    database_.auditor_.learns_of_resumes(use_.process, resumes, use_.now());
    return resumes == 0 ? "" : std::to_string(resumes);
  }

 private:
  DatabaseTime now() const { return database_.time_at(use_.now()); }
  DatabaseTime lease_end(milliseconds lease) const {
    return now() + std::chrono::duration_cast<DatabaseTime>(use_.waited()) + lease;
  }

  template <typename Work>
  std::invoke_result_t<const Work&> statement(const Work& work) {
    note_time();
    check_connection();
    const Database::Mishap mishap = database_.next_mishap();
    if (mishap == Database::Mishap::before) lose_connection();
    auto result = work();
    if (mishap == Database::Mishap::after) lose_connection();
    use_.process.failing_since.reset();
    if (database_.slow_per_mille_ > 0 && database_.world_.tape.chance(database_.slow_per_mille_)) {
      use_.wait(milliseconds(database_.world_.tape.one_of({1, 100, 3000, 14000})));
    }
    return result;
  }

  void check_claim(const Claim& claim) {
    World& world = database_.world_;
    world.expect(claim.most > 0 && claim.most <= claim.pace.most_at_once(), "rate", "a claim is too large");
    database_.auditor_.claims(use_.process, database_.moment_of(database_.tables.halted_until));
    if (has_settled_) return;
    // Results may be refused while claims work, as on a full disk. This must cost one call only.
    world.expect(claim.most == 1, "claim", "a worker takes several rows, and has written no result yet");
    world.expect(find(first_.id, first_.token) == nullptr, "claim",
                 "a worker takes a second row, and has written no result yet");
  }

  [[noreturn]] void lose_connection() {
    generation_ = static_cast<unsigned>(-1);
    if (database_.world_.tape.chance(50)) {
      use_.process.database_refused = true;
      fail({"the right is gone", "42501", false});
    }
    fail({"the connection is gone", "08006", true});
  }

  [[noreturn]] void fail(const DatabaseError& error) const {
    std::optional<Steady>& since = use_.process.failing_since;
    if (!since) since = use_.now();
    note_time();
    throw error;
  }

  /// If the database fails for so long that leases may end meanwhile, rows may be called again.
  void note_time() const {
    const auto& since = use_.process.failing_since;
    const milliseconds short_time = use_.lease > seconds(10) ? use_.lease / 4 : milliseconds(-1);
    if (since && use_.now() - *since > short_time) database_.auditor_.excuse(use_.process);
  }

  void refuse_cursed(const Settlement& one) const {
    const bool moves = one.fate == Fate::done || one.fate == Fate::dead;
    if (!moves || !database_.auditor_.story(one.id).cursed) return;
    database_.auditor_.story(one.id).excused = true;
    throw DatabaseError("a trigger refuses it", "23514", true, true);
  }

  LiveRow* find(std::int64_t id, const std::string& token) {
    const auto live = database_.tables.live.find(id);
    return live != database_.tables.live.end() && live->second.claim == token ? &live->second : nullptr;
  }

  static Merchant merchant_of(const LiveRow& live) { return {live.row.order.mchid, live.row.order.sub_mchid}; }

  /// A longer halt was written before the clock was set back.
  bool is_halted() const {
    const DatabaseTime until = database_.tables.halted_until;
    return until > now() && until <= now() + std::chrono::minutes(6);
  }

  bool is_due(const LiveRow& live, const Claim& claim) const {
    return live.due <= now() && live.due.count() >= claim.low &&
           std::min(live.created, live.due) <= now() - DatabaseTime(claim.delay) && !is_halted();
  }

  std::vector<outbox::Row> take(const Claim& claim) {
    std::vector<LiveRow*> due;
    for (auto& [id, live] : database_.tables.live) {
      if (is_due(live, claim)) due.push_back(&live);
    }
    std::sort(due.begin(), due.end(), [](const LiveRow* a, const LiveRow* b) {
      return std::tie(a->due, a->row.id) < std::tie(b->due, b->row.id);
    });
    DatabaseTime& next = database_.tables.next_at;
    const bool paced = claim.pace.per_second > 0;
    if (paced && next > now() + claim.pace.farthest()) next = now();
    waits_for_rate_ = paced && !due.empty() && next > now() + claim.pace.room_for(claim.most);
    if (waits_for_rate_) return {};
    std::map<Merchant, std::size_t> shares;
    for (const outbox::Turn& turn : claim.turns) shares[turn.merchant] = turn.share;
    std::vector<outbox::Row> rows;
    for (LiveRow* const live : due) {
      if (rows.size() == claim.most) break;
      if (!claim.turns.empty()) {
        std::size_t& share = shares[merchant_of(*live)];
        if (share == 0) continue;
        --share;
      }
      rows.push_back(claim_row(*live, claim));
    }
    if (paced) next = std::max(next, now()) + claim.pace.time_of(rows.size());
    database_.auditor_.gives(rows.size(), use_.now());
    return rows;
  }

  outbox::Row claim_row(LiveRow& live, const Claim& claim) const {
    ++live.row.claims;
    outbox::Row row = live.row;
    row.due = live.due.count();
    row.age = std::chrono::duration_cast<seconds>(now() - live.created);
    const bool twin = database_.auditor_.story(row.id).twin;
    for (const auto& [id, settled] : database_.tables.settled) {
      if (!twin) break;
      const bool same = settled.fate == Fate::done && outbox::order_key(settled.order) == outbox::order_key(row.order);
      row.contradicted = row.contradicted || (same && settled.order.bonus_value != row.order.bonus_value);
    }
    live.due = lease_end(claim.lease);
    live.claim = claim.token;
    return row;
  }

  void write(const Settlement& one, outbox::Settled& settled) {
    LiveRow* const live = find(one.id, one.token);
    if (live != nullptr) {
      Auditor& wechat_pay = database_.wechat_pay_;
      const int committed = wechat_pay.call(database_.auditor_.story(one.id).order).committed;
      const auto age = std::chrono::duration_cast<seconds>(now() - live->created);
      database_.auditor_.settles(use_.process, one, live->row, age, committed);
      if (one.fate == Fate::done || one.fate == Fate::dead) {
        ++(one.fate == Fate::done ? settled.done : settled.dead);
        const bool first = database_.tables.settled.emplace(one.id, SettledRow{live->row.order, one.fate}).second;
        database_.world_.expect(first, "once", "a row is settled twice");
        database_.tables.live.erase(one.id);
      } else {
        ++settled.back;
        live->claim.clear();
        live->held_back = !one.message.empty();
        live->due = now() + one.pause;
        one.fate == Fate::wait ? ++live->row.attempts : --live->row.claims;
      }
    }
    database_.auditor_.settled(use_.process, one);
  }

  Database& database_;
  const StoreUse use_;
  unsigned generation_;
  const unsigned cuts_;       ///< of the process, when it connected
  HeldRow first_{};           ///< claimed over this connection before a result was written over it
  bool has_settled_ = false;  ///< a result was written over this connection
  bool waits_for_rate_ = false;
};

Database::Database(World& world, Auditor& wechat_pay, RelayAuditor& auditor)
    : world_(world), wechat_pay_(wechat_pay), auditor_(auditor) {
  mishaps_per_mille_ = world.tape.one_of({0U, 5U, 50U});
  slow_per_mille_ = world.tape.one_of({0U, 0U, 20U});
  if (mishaps_per_mille_ + slow_per_mille_ > 0) auditor_.database_errs();
}

void Database::insert(const BonusCommitRequest& order) {
  LiveRow live;
  live.row.id = static_cast<std::int64_t>(auditor_.stories().size());
  live.row.order = order;
  live.due = live.created = time_at(world_.now());
  tables.live.emplace(live.row.id, std::move(live));
}

std::unique_ptr<outbox::Store> Database::connect(StoreUse use) {
  auto store = std::make_unique<SimulatedStore>(*this, std::move(use));
  store->check_connection();
  return store;
}

Database::Mishap Database::next_mishap() const {
  if (recovered_ || mishaps_per_mille_ == 0 || !world_.tape.chance(mishaps_per_mille_)) return Mishap::none;
  return world_.tape.one_of({Mishap::before, Mishap::after});
}

void Database::go_down(std::chrono::nanoseconds time) {
  world_.log("the database goes down");
  down_until_ = world_.now() + time;
  auditor_.database_is_down(down_until_);
  ++generation_;
}

void Database::fail_over() {
  world_.log("the database fails over, and loses nothing");
  auditor_.excuse_all();
  ++generation_;
}

/// The last transactions are lost: the merchant's and the workers'.
void Database::fail_over_to_copy() {
  world_.log("the database fails over, and loses the last transactions");
  auditor_.excuse_all();
  auditor_.database_forgets();
  ++generation_;
  for (const auto& [id, story] : auditor_.stories()) {
    const bool there = copy_.live.count(id) + copy_.settled.count(id) > 0;
    if (!there) auditor_.story(id).lost = true;
  }
  tables = copy_;
}

/// As an operator does: ends halts, and makes rows due that wait after a call.
void Database::resume() {
  world_.log("an operator resumes");
  auditor_.operator_resumes();
  const DatabaseTime now = time_at(world_.now());
  tables.halted_until = DatabaseTime(0);
  ++tables.resumes;
  for (auto& [id, live] : tables.live) {
    const bool waits = live.claim.empty() && (live.row.attempts > 0 || live.held_back);
    if (waits) live.due = std::min(live.due, now);
  }
}

void Database::set_clock(std::chrono::seconds by) {
  world_.log("the database's clock is set");
  auditor_.excuse_all();
  auditor_.database_forgets();
  clock_offset_ += by;
}

void Database::recover() {
  recovered_ = true;
  down_until_ = Steady();
  slow_per_mille_ = 0;
}

}  // namespace wechatpay::bonus_commit::simulation

// The database operations of the relay.
#include <algorithm>
#include <iterator>
#include <utility>

#include "src/outbox/relay.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::size_t largest_settlement = 500;
constexpr std::chrono::milliseconds longest_database_pause{30000};
constexpr std::chrono::minutes fault_pause{1};  // between log lines about a lasting fault
constexpr std::chrono::seconds full_scan_pause{5};
constexpr std::int64_t low_margin = 5000000;  // microseconds

}  // namespace

void Relay::use_database() {
  if (now() < database_at_) return;
  try {
    if (store_ == nullptr) {
      set_store(open_store_());
      store_->open(options_.owner);
      look_for_resume();
    }
    // Each step may take as long as a statement may. After a stop request, steps that are no longer needed are skipped.
    const auto ends = [this] { return stop_requested_ && !end_; };
    if (ends()) return;
    settle();
    if (ends()) return;
    renew();
    if (ends()) return;
    if (new_halt_) {
      store_->halt(options_.owner.merchant, *new_halt_, "WeChat Pay answered 429");
      new_halt_.reset();
    }
    if (ends()) return;
    claim();
    if (!database_fault_.empty()) say_("the database answers again");
    database_fault_.clear();
    metrics_.database_failing_since.reset();
    database_pause_ = std::chrono::milliseconds(500);
  } catch (const DatabaseError& error) {
    database_failed(error);
  }
}

void Relay::database_failed(const DatabaseError& error) {
  set_store(nullptr);
  can_settle_ = false;
  claims_doubtful_ = true;
  ++metrics_.database_errors[error.state()];
  if (!metrics_.database_failing_since) metrics_.database_failing_since = now();
  const std::string state = error.state().empty() ? "" : " (" + error.state() + ")";
  const std::string fault = "database: " + std::string(error.what()) + state;
  if (!error.passing()) {
    say_(fault);
    begin_to_end(RelayEnd::database_refused, "the database does not let it work");
    end_ = RelayEnd::database_refused;
    database_at_ = now() + longest_database_pause;
    return;
  }
  const auto now = this->now();
  if (fault != database_fault_ || now >= fault_said_at_ + fault_pause) {
    say_(fault + "; trying again");
    fault_said_at_ = now;
  }
  database_fault_ = fault;
  database_at_ = now + database_pause_;
  database_pause_ = std::min(2 * database_pause_, longest_database_pause);
}

void Relay::settle() {
  while (!pending_.empty() && (end_ || now() >= settle_at_ || pending_.size() >= largest_settlement)) {
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(std::min(pending_.size(), largest_settlement));
    std::vector<Settlement> some;
    std::set<std::string> called;
    for (auto decided = pending_.begin(); decided != end; ++decided) {
      some.push_back(decided->settlement);
      if (!decided->called_order.empty()) called.insert(decided->called_order);
    }
    const Settled settled = write(some);
    pending_.erase(pending_.begin(), end);
    forget(called);
    can_settle_ = can_settle_ || settled.done + settled.dead + settled.back > 0;
    count(settled, some.size() - settled.done - settled.dead - settled.back);
  }
}

/// Writes the results. If the database refuses some of them, the others are still written.
Settled Relay::write(const std::vector<Settlement>& settlements) {
  try {
    return store_->settle(settlements);
  } catch (const DatabaseError& error) {
    if (!error.refuses_rows()) throw;
    if (settlements.size() == 1) return write_refused(settlements.front(), error);
  }
  const auto middle = settlements.begin() + static_cast<std::ptrdiff_t>(settlements.size() / 2);
  const Settled first = write({settlements.begin(), middle});
  const Settled second = write({middle, settlements.end()});
  return {first.done + second.done, first.dead + second.dead, first.back + second.back};
}

/// Makes the row wait, so that it is not mistaken for a row that crashes its workers. If the database refuses this too,
/// the row's lease expires.
Settled Relay::write_refused(const Settlement& refused, const DatabaseError& error) {
  if (causes_told_.insert("settlement " + error.state()).second) {
    say_("row " + std::to_string(refused.id) + ": the database refuses to write its result, it waits for an hour: " +
         error.what() + " (" + error.state() + ")");
  }
  Settlement waits;
  waits.id = refused.id;
  waits.token = refused.token;
  waits.fate = Fate::wait;
  waits.pause = std::chrono::hours(1);
  waits.message = "the database refused to write the result (" + error.state() + ")";
  try {
    return store_->settle({waits});
  } catch (const DatabaseError& again) {
    if (!again.refuses_rows()) throw;
    return {};
  }
}

/// Hands back other rows of the orders whose results have just been written: their claims were made before that.
void Relay::forget(const std::set<std::string>& written_orders) {
  for (const std::string& order : written_orders) orders_called_.erase(order);
  hand_back_queued([&](const Held& held) { return written_orders.count(order_key(held.row.order)) > 0; });
}

/// Renews the leases of all held rows when the first one is due. After a new connection it does so at once: after a
/// failover, the database may have lost claims. Lost rows whose calls have not started are dropped.
void Relay::renew() {
  const auto begin = time_.lease_now();
  const bool due = std::any_of(held_.begin(), held_.end(), [&](const auto& held) {
    return claims_doubtful_ || begin >= held.second.lease.renewal();
  });
  claims_doubtful_ = false;
  if (!due) return;
  std::vector<HeldRow> rows;
  for (const auto& [call, held] : held_) rows.push_back({held.row.id, held.token});
  const auto renewed = store_->renew(rows, options_.lease);
  std::set<std::pair<std::int64_t, std::string>> ours;
  for (const HeldRow& row : renewed) ours.emplace(row.id, row.token);
  // A lost row with a started call is not checked again at once.
  for (auto& [call, held] : held_) held.lease = Lease(begin, options_.lease);
  drop_queued([&](const Held& held) { return ours.count({held.row.id, held.token}) == 0; });
}

/// How many rows may be claimed now; 0: none.
std::size_t Relay::claimable() const {
  if (end_ || suspects_held_ > 0 || pending_.size() >= largest_settlement) return 0;
  // A database with a full disk may accept claims but no results. This must cost one call only, not a whole batch.
  if (!can_settle_ && !(held_.empty() && pending_.empty())) return 0;
  if (!breaker_.closed()) return held_.empty() && now() >= breaker_.next_probe() ? 1 : 0;
  if (queue_.size() >= options_.max_in_flight) return 0;
  if (!can_settle_) return 1;
  return std::min({2 * options_.max_in_flight - held_.size(), options_.pace.most_at_once(), largest_settlement});
}

void Relay::claim() {
  const auto begin = now();
  const auto lease_begin = time_.lease_now();
  if (begin < claim_at_) return;
  Claim claim;
  claim.most = claimable();
  if (claim.most == 0) return;
  auto token = time_.new_token();
  if (!token) throw DatabaseError(token.error().message, "", true);
  claim.token = *std::move(token);
  claim.lease = options_.lease;
  claim.merchant = options_.owner.merchant;
  claim.pace = options_.pace;
  if (begin >= full_scan_at_) {
    low_ = 0;
    full_scan_at_ = begin + full_scan_pause;
  }
  claim.low = low_;
  claim.delay = options_.delay;
  if (!merchants_held_.empty()) look_for_resume();  // not after the claim: if it fails, the rows would be forgotten
  std::vector<Row> rows = claim_rows(claim);
  metrics_.claims += rows.size();
  if (store_->waits_for_rate()) metrics_.waited_for_rate_at = now();
  if (!rows.empty()) rate_limited_until_ = Clock::time_point::min();  // an operator may have ended the halt
  if (!rows.empty() && breaker_.closed()) metrics_.moved_at = now();
  low_ = options_.fair || rows.size() < claim.most ? 0 : std::max<std::int64_t>(0, rows.back().due - low_margin);
  // When merchants take turns, some have fewer rows than their share, so other merchants may have more due rows.
  const std::size_t wanted = options_.fair && !rows.empty() ? rows.size() : claim.most;
  const auto pause = polling_.after(wanted, rows.size(), time_.random());
  claim_at_ = now() + (rows.empty() ? options_.pace.pause(pause) : pause);
  take_rows(std::move(rows), claim.token, lease_begin);
}

std::vector<Row> Relay::claim_rows(Claim& claim) {
  if (!options_.fair) return store_->claim(claim);
  const std::vector<Merchant> due = store_->merchants_due(claim);
  if (due.empty()) return {};
  if (!last_merchant_) {  // so that workers that start together begin with different merchants
    last_merchant_ = due[static_cast<std::size_t>(time_.random() * static_cast<double>(due.size())) % due.size()];
  }
  claim.turns = turns_of(due, *last_merchant_, claim.most);
  std::vector<Row> rows = store_->claim(claim);
  // A merchant also counts as served if all its due rows were locked.
  if (!store_->waits_for_rate()) last_merchant_ = next_last(claim.turns, due.size());
  return rows;
}

/// If an operator has resumed, merchants that are held are called again.
void Relay::look_for_resume() {
  std::string resume = store_->last_resume();
  if (resume != last_resume_) merchants_held_.clear();
  last_resume_ = std::move(resume);
}

void Relay::take_rows(std::vector<Row> rows, const std::string& token, Lease::Clock::time_point begin) {
  const auto claimed_at = now();
  std::set<std::int64_t> ids;
  for (const Row& row : rows) ids.insert(row.id);
  // A row that is held may be claimed again if the database has lost the claim, or if its clock was set.
  drop_queued([&](const Held& held) { return ids.count(held.row.id) > 0; });
  for (Row& row : rows) {
    if (auto dead = dead_before_call(row, token)) {
      add(*std::move(dead));
      continue;
    }
    const std::uint64_t call = ++last_call_;
    if (is_suspect(row)) ++suspects_held_;
    held_.emplace(call, Held{std::move(row), token, Lease(begin, options_.lease), claimed_at});
    queue_.push_back(call);
  }
  leave_suspect_alone();
}

/// If a suspect row is queued, hands back all other queued rows, so that a crash does not affect them.
void Relay::leave_suspect_alone() {
  const auto suspect =
      std::find_if(queue_.begin(), queue_.end(), [this](std::uint64_t call) { return is_suspect(held_.at(call).row); });
  if (suspect == queue_.end()) return;
  const std::int64_t alone = held_.at(*suspect).row.id;
  hand_back_queued([alone](const Held& held) { return held.row.id != alone; });
}

}  // namespace wechatpay::bonus_commit::outbox

#include "src/outbox/relay.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <utility>

#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::chrono::milliseconds settle_pause{50};
constexpr std::chrono::seconds report_pause{10};
constexpr std::size_t most_causes = 50;

std::string merchant_of(const BonusCommitRequest& order) { return order.mchid + "/" + order.sub_mchid; }

std::string card_of(const BonusCommitRequest& order) { return merchant_of(order) + "/" + order.card_id; }

}  // namespace

Relay::Relay(RelayOptions options, OpenStore open_store, const BonusCommitClient& client, Say say, RelayTime time)
    : options_(std::move(options)),
      open_store_(std::move(open_store)),
      client_(client),
      say_(std::move(say)),
      time_(std::move(time)) {
  metrics_.moved_at = now();
  metrics_.has_rate = options_.pace.per_second > 0;
  metrics_.delay = options_.delay;
  published_ = metrics_;
}

void Relay::request_stop() {
  stop_requested_ = true;
  results_->wake();
}

bool Relay::cut_statement() {
  const std::lock_guard<std::mutex> lock(store_mutex_);
  if (!stop_requested_ || stop_noticed_) return true;
  if (store_ == nullptr) return false;
  store_->interrupt();
  return true;
}

void Relay::set_store(std::unique_ptr<Store> store) {
  {
    const std::lock_guard<std::mutex> lock(store_mutex_);
    store_.swap(store);
  }  // the previous store is closed without the lock: this may take some time
}

Metrics Relay::metrics() const {
  const std::lock_guard<std::mutex> lock(published_mutex_);
  return published_;
}

/// Copies the metrics, so that other threads can read them.
void Relay::publish() {
  const auto now = this->now();
  metrics_.in_flight = in_flight_;
  metrics_.breaker_closed = breaker_.closed();
  metrics_.calls_fail = breaker_.failing();
  metrics_.rate_limited = now < rate_limited_until_;
  metrics_.merchants_without_permission = metrics_.merchants_doubted = 0;
  for (const auto& [merchant, held] : merchants_held_) {
    if (now >= held.until) continue;
    ++(held.doubted ? metrics_.merchants_doubted : metrics_.merchants_without_permission);
  }
  const std::lock_guard<std::mutex> lock(published_mutex_);
  published_ = metrics_;
}

RelayEnd Relay::run() {
  while (const auto next = work()) time_.wait(*results_, *next);
  return end();
}

std::optional<Relay::Clock::time_point> Relay::work() {
  if (stop_requested_ && !end_) begin_to_end(RelayEnd::stopped, "asked to");
  take_results();
  use_database();
  if (!stop_requested_) start_calls();
  publish();
  const bool ended = finished();
  report(ended);
  if (ended) return std::nullopt;
  return next_moment();
}

RelayEnd Relay::end() const {
  const bool all_written = pending_.empty() && held_.empty();
  return *end_ == RelayEnd::stopped && !all_written ? RelayEnd::unsettled : *end_;
}

void Relay::begin_to_end(RelayEnd end, const std::string& why) {
  if (end_) return;
  {
    const std::lock_guard<std::mutex> lock(store_mutex_);
    stop_noticed_ = true;
  }
  end_ = end;
  give_up_at_ = now() + Lease::deadline(options_.lease) + std::chrono::seconds(5);
  hand_back_queue();
  say_("ending: " + why + "; " + std::to_string(in_flight_) + " calls under way are waited for");
}

bool Relay::finished() const {
  if (!end_) return false;
  if (*end_ == RelayEnd::database_refused && in_flight_ == 0) return true;
  return (in_flight_ == 0 && pending_.empty()) || now() >= give_up_at_;
}

Relay::Clock::time_point Relay::next_moment() const {
  const auto now = this->now();
  auto moment = now + std::chrono::seconds(1);
  if (claimable() > 0) moment = std::min(moment, std::max(claim_at_, database_at_));
  if (!pending_.empty()) moment = std::min(moment, std::max(settle_at_, database_at_));
  if (!queue_.empty()) moment = std::min(moment, now + settle_pause);
  if (!breaker_.closed() && breaker_.next_probe() > now) moment = std::min(moment, breaker_.next_probe());
  return moment;
}

void Relay::take_results() {
  for (auto& [call, result] : results_->take()) {
    const Held held = release(call);
    --in_flight_;
    take_result(held, result);
  }
}

void Relay::take_result(const Held& held, const CommitResult& result) {
  if (result) {
    metrics_.credit_delays.add(held.row.age +
                               std::chrono::duration_cast<std::chrono::milliseconds>(now() - held.claimed_at));
  }
  note_meaning(held, result);
  add(settlement_of(held.row, held.token, result, options_.giving_up, breaker_.others_succeed(now()), time_.random()),
      order_key(held.row.order));
}

void Relay::note_meaning(const Held& held, const CommitResult& result) {
  const auto now = this->now();
  const Meaning meaning = meaning_of(result);
  const bool was_closed = breaker_.closed();
  const std::string merchant = merchant_of(held.row.order);
  switch (meaning) {
    case Meaning::credited:
    case Meaning::refused:
    case Meaning::permission_missing: breaker_.answered(now); break;
    case Meaning::failed: note_failure(); break;
    case Meaning::setup_doubtful:
      // WeChat Pay answered, and the answer concerns the rows of one merchant. It counts as one failure while that
      // merchant is held.
      if (breaker_.closed() && !holds(merchant)) note_failure();
      break;
    case Meaning::invalid:
    case Meaning::not_called:
    case Meaning::setup_wrong: break;
  }
  if (!was_closed && breaker_.closed()) {
    say_("calls succeed: committing");
    causes_told_.clear();
  }
  if (const auto halt = halt_after(result)) {
    rate_limited_until_ = std::max(rate_limited_until_, now + *halt);
    new_halt_ = std::max(*halt, new_halt_.value_or(*halt));
    hand_back_queue();
  }
  if (result || meaning == Meaning::not_called) return;
  const Error& error = result.error();
  if (meaning == Meaning::permission_missing) {
    // Any other refusal is about this card: another merchant created it, or its brand or its bonus service is missing.
    const bool of_all_cards = error.http_status() == 403;
    merchants_held_[of_all_cards ? merchant : card_of(held.row.order)] = {now + permission_pause, false};
  } else if (meaning == Meaning::setup_doubtful && !holds(merchant)) {
    merchants_held_[merchant] = {now + doubtful_pause, true};
  }
  const Answer* const answer = error.answer();
  const std::string cause = std::string(to_string(error.kind)) + std::to_string(error.http_status()) +
                            std::string(to_string(error.transport_fault)) + (answer == nullptr ? "" : answer->code);
  if (causes_told_.size() < most_causes && causes_told_.insert(cause).second) {
    say_("row " + std::to_string(held.row.id) + ", out_trade_no " + stages::printable(held.row.order.out_trade_no, 64) +
         ": " + stages::printable(error.to_string(), 1000));
  }
  if (meaning == Meaning::setup_wrong) {
    begin_to_end(RelayEnd::setup_wrong, "every further order would fail likewise");
  }
}

void Relay::note_failure() {
  if (!breaker_.failed(now())) return;
  say_("20 failures in a row: from now on one call at a time, until one succeeds");
  hand_back_queue();
}

bool Relay::holds(const std::string& merchant) const {
  const auto held = merchants_held_.find(merchant);
  return held != merchants_held_.end() && now() < held->second.until;
}

/// How long the rows of this merchant, or of this card, are still held.
std::optional<std::chrono::milliseconds> Relay::held_for(const BonusCommitRequest& order) {
  if (merchants_held_.empty()) return std::nullopt;
  const auto now = this->now();
  std::optional<std::chrono::milliseconds> left;
  for (const std::string& key : {merchant_of(order), card_of(order)}) {
    const auto held = merchants_held_.find(key);
    if (held == merchants_held_.end()) continue;
    if (now < held->second.until) {
      left = std::max(left.value_or(std::chrono::milliseconds(0)),
                      std::chrono::ceil<std::chrono::milliseconds>(held->second.until - now));
    } else {
      merchants_held_.erase(held);
    }
  }
  return left;
}

void Relay::add(Settlement settlement, std::string called_order) {
  if (pending_.empty()) settle_at_ = now() + settle_pause;
  pending_.push_back({std::move(settlement), std::move(called_order)});
}

void Relay::hand_back(const Held& held, std::chrono::milliseconds pause, const std::string& why) {
  Settlement settlement;
  settlement.id = held.row.id;
  settlement.token = held.token;
  settlement.pause = pause;
  settlement.message = why;
  add(std::move(settlement));
}

/// Releases the queued rows that `which` selects.
std::vector<Relay::Held> Relay::take_queued(const Which& which) {
  const auto first =
      std::stable_partition(queue_.begin(), queue_.end(), [&](std::uint64_t call) { return !which(held_.at(call)); });
  std::vector<Held> taken;
  for (auto call = first; call != queue_.end(); ++call) taken.push_back(release(*call));
  queue_.erase(first, queue_.end());
  return taken;
}

void Relay::hand_back_queued(const Which& which) {
  for (const Held& held : take_queued(which)) hand_back(held, std::chrono::milliseconds(0));
}

void Relay::hand_back_queue() {
  hand_back_queued([](const Held&) { return true; });
}

/// The claims of these rows are lost.
void Relay::drop_queued(const Which& which) { count({}, take_queued(which).size()); }

Relay::Held Relay::release(std::uint64_t call) {
  auto held = held_.extract(call);
  if (is_suspect(held.mapped().row)) --suspects_held_;
  return std::move(held.mapped());
}

void Relay::start_calls() {
  while (!queue_.empty()) {
    const std::uint64_t call = queue_.front();
    if (!may_start(held_.at(call))) return;
    queue_.pop_front();
    start(call);
  }
}

bool Relay::may_start(const Held& held) const {
  if (suspects_held_ > 0 && !pending_.empty()) return false;  // rows that are handed back must be written first
  return in_flight_ < options_.max_in_flight && held.lease.has_room(time_.lease_now()) &&
         (!is_suspect(held.row) || in_flight_ == 0) && breaker_.admits(now(), in_flight_);
}

void Relay::start(std::uint64_t call) {
  Held& held = held_.at(call);
  std::optional<std::chrono::milliseconds> not_now = held_for(held.row.order);
  const char* const why = not_now ? "WeChat Pay refused another row of this merchant" : "";
  if (!not_now && refuses_mode(held.row)) not_now = std::chrono::milliseconds(0);
  if (!not_now && !orders_called_.insert(order_key(held.row.order)).second) not_now = std::chrono::seconds(1);
  if (not_now) {
    hand_back(release(call), *not_now, why);
    return;
  }
  held.started = true;
  ++in_flight_;
  BonusCommitRequest order = held.row.order;
  order.merchant_mode = options_.mode.value_or(mode_of(order));
  ResultQueue::Results ended;
  ended.emplace_back(call, Error());
  client_.commit_async(order, [results = results_, ended = std::move(ended)](CommitResult result) mutable {
    ended.front().second = std::move(result);
    results->push(ended);
  });
}

/// If the check refuses an order only because of the configured mode, the row is not dead: the option is wrong, and the
/// relay stops.
bool Relay::refuses_mode(const Row& row) {
  if (!options_.mode || !fits_another_mode(row.order, *options_.mode)) return false;
  begin_to_end(RelayEnd::setup_wrong, std::string("row ")
                                          .append(std::to_string(row.id))
                                          .append(" has the merchant ids of the mode ")
                                          .append(to_string(mode_of(row.order)))
                                          .append(", and the merchant mode that is set is ")
                                          .append(to_string(*options_.mode))
                                          .append(": leave the mode out, or correct the row"));
  return true;
}

void Relay::count(const Settled& settled, std::uint64_t lost) {
  for (Settled* const sum : {&settled_, &metrics_.settled}) {
    sum->done += settled.done;
    sum->dead += settled.dead;
    sum->back += settled.back;
  }
  lost_ += lost;
  metrics_.leases_lost += lost;
  if (settled.done + settled.dead > 0) metrics_.moved_at = now();
}

void Relay::report(bool last) {
  const auto now = this->now();
  if (now < report_at_ && !last) return;
  report_at_ = now + report_pause;
  const std::uint64_t rows = settled_.done + settled_.dead + settled_.back + lost_;
  if (rows == 0) return;
  say_(std::to_string(settled_.done) + " credited, " + std::to_string(settled_.dead) + " dead, " +
       std::to_string(settled_.back) + " to be tried again, " + std::to_string(lost_) + " leases lost; " +
       std::to_string(in_flight_) + " under way");
  settled_ = {};
  lost_ = 0;
}

}  // namespace wechatpay::bonus_commit::outbox

#include "tests/simulation/relay_auditor.hpp"

#include <algorithm>
#include <cmath>

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr milliseconds slack{5};  ///< tolerance for rounding
constexpr int most_failures = 20;
constexpr std::chrono::minutes recovery{10};

/// Judges an answer that is read at `now`. To a process that was stopped for long, an answer may be too old.
Judgement judge_at(const Answered& answer, Wall now) {
  const Signed how = answer.reply->is_signed;
  const bool has_time = how != Signed::not_at_all && how != Signed::before && how != Signed::twice;
  const auto age = std::chrono::floor<seconds>(now) - std::chrono::floor<seconds>(answer.time);
  if (has_time && std::chrono::abs(age) > seconds(300)) return {Says::setup_wrong, Outcome::unknown};
  return judge(*answer.reply);
}

}  // namespace

RowStory& RelayAuditor::add(unsigned order) {
  RowStory& story = stories_[static_cast<std::int64_t>(stories_.size()) + 1];
  story.order = order;
  return story;
}

void RelayAuditor::excuse(const Process& process) {
  for (const auto& [id, claim] : process.claims) stories_.at(id).excused = true;
}

void RelayAuditor::excuse_all() {
  for (auto& [id, story] : stories_) story.excused = true;
}

void RelayAuditor::database_is_down(Steady until) {
  excuse_all();
  database_down_until_ = until;
}

void RelayAuditor::claims(Process& process, Steady halted_until) {
  const auto halt = std::exchange(process.halt_to_tell, std::nullopt);
  world_.expect(!halt || halted_until + slack >= *halt || database_forgets_, "halt",
                "the database is not told that all workers must pause");
}

void RelayAuditor::operator_resumes() {
  for (Process& process : processes_) {
    process.halt_to_tell.reset();
    process.halted_until = Steady();
  }
}

void RelayAuditor::learns_of_resumes(Process& process, unsigned resumes, Steady now) {
  if (std::exchange(process.resumes, resumes) == resumes) return;
  process.old_holds = std::exchange(process.holds, {});
  process.resumed_at = now;
}

/// Rows that were handed back because of a hold before the resume are written by now.
void RelayAuditor::has_settled(Process& process, Steady now) {
  const Steady before = std::exchange(process.settled_at, now);
  if (now > before && before > process.resumed_at + seconds(1)) process.old_holds.clear();
}

void RelayAuditor::gives(std::size_t rows, Steady now) {
  if (per_second <= 0 || database_forgets_) return;
  const double burst = 2 * std::max(1.0, std::floor(per_second / 2));
  given_ = std::max(0.0, given_ - per_second * std::chrono::duration<double>(now - given_at_).count());
  given_ += static_cast<double>(rows);
  given_at_ = now;
  world_.expect(given_ <= burst + 0.5, "rate", "all workers together claim more than the rate allows");
}

void RelayAuditor::claimed(Process& process, const outbox::Row& row, const std::string& token,
                           std::chrono::microseconds age) {
  require(!process.stopping, "stop", row.id, "is claimed after the worker was told to stop");
  if (world_.logs()) {
    world_.log("row " + std::to_string(row.id) + " is claimed, " + std::to_string(row.claims) + " claims for " +
               std::to_string(row.attempts) + " calls");
  }
  require(age >= delay || database_forgets_, "delay", row.id, "is claimed too early");
  stories_.at(row.id).claim = token;
  process.claims[row.id] = {token, row.contradicted};
  process.tokens.insert(token);
}

std::int64_t RelayAuditor::held(const Process& process, unsigned order) const {
  for (const auto& [id, claim] : process.claims) {
    if (stories_.at(id).order == order) return id;
  }
  return 0;
}

/// Whether the process holds a row of this order that may be called.
bool RelayAuditor::holds_another(const Process& process, unsigned order) const {
  return std::any_of(process.claims.begin(), process.claims.end(), [&](const auto& held) {
    const RowStory& story = stories_.at(held.first);
    return story.order == order && !held.second.contradicted && !story.wrong;
  });
}

std::int64_t RelayAuditor::sent(Process& process, unsigned order, Steady now, milliseconds lease_left,
                                milliseconds deadline) {
  if (process.calling.count(order) > 0) return 0;
  const std::int64_t id = held(process, order);
  if (world_.logs()) world_.log("row " + std::to_string(id) + ", T" + std::to_string(order) + ", is called");
  ++calls_;
  world_.expect(id != 0, "claim", "a row is called that the worker does not hold");
  RowStory& story = stories_.at(id);
  require(!story.wrong || holds_another(process, order), "wrong order", id, "is called though it is wrong");
  require(!process.claims.at(id).contradicted || holds_another(process, order), "conflict", id,
          "is called though its order is done with other points");
  for (const std::string* key : {&story.merchant, &story.card}) {
    const auto hold = process.holds.find(*key);
    require(hold == process.holds.end() || now - process.slept + slack >= hold->second, "hold", id,
            "is called though its merchant or its card was refused");
  }
  require(!process.stopping, "stop", id, "is called after the worker was told to stop");
  require(process.proved || process.calling.empty(), "breaker", id, "is called beside another, with the breaker open");
  require(process.proved || now - process.slept + slack >= process.next_probe, "breaker", id,
          "is called before the next probe");
  require(now + slack >= process.halted_until || database_forgets_, "halt", id,
          "is called during the pause after a 429");
  require(story.twin || database_forgets_ || lease_left + slack >= deadline, "lease", id,
          "is called though its lease ends before the call may end");
  for (const Process& other : processes_) {
    const bool at_once = &other != &process && !other.gone && other.calling.count(order) > 0;
    require(!at_once || story.twin || database_forgets_ || worker_sleeps_, "one at a time", id,
            "is called by two workers at once");
  }
  if (story.credited && !story.twin) {
    require(story.excused, "repeats", id, "is called again though nothing had happened to it");
    story.excused = database_forgets_ || process.failing_since || now < database_down_until_;
    story.credited = false;
  }
  process.calling[order] = {process.claims.at(id).token, story.merchant, story.card};
  return id;
}

void RelayAuditor::answered(Process& process, unsigned order, const Answered* answer,
                            const Result<HttpResponse>& response, Wall now) {
  const auto found = process.calling.find(order);
  if (found == process.calling.end()) return;
  RelayCall& call = found->second;
  call.in_doubt = call.in_doubt || call.last.outcome == Outcome::unknown;
  call.last = answer != nullptr ? judge_at(*answer, now) : judge(response.error());
  call.too_fast = call.too_fast || (response && response->status == 429);
  call.retry_after = answer != nullptr ? asked_by(*answer, now) : std::nullopt;
}

void RelayAuditor::ended(Process& process, unsigned order, Steady now, const CommitResult& result) {
  if (process.gone) return;
  const auto ended = process.calling.extract(order);
  world_.expect(!ended.empty(), "call", "a call ends that was not sent");
  RelayCall call = ended.mapped();
  if (world_.logs()) {
    world_.log("T" + std::to_string(order) + " ends: " + (result ? "credited" : result.error().to_string()));
  }
  world_.expect(result.has_value() == (call.last.says == Says::credited), "call",
                "a call is credited, and its answer is no receipt, or the other way round");
  const std::int64_t id = held(process, order);
  if (result && id != 0 && stories_.at(id).claim == process.claims.at(id).token) stories_.at(id).credited = true;
  if (call.too_fast && !result) halt(process, now, call);
  note(process, now, call);
  call.others_succeed =
      process.proved && process.failures <= 1 && now - process.slept - process.proved_since + slack >= recovery;
  process.ended[order] = std::move(call);
}

/// After a 429, nothing is called for the time that it asks for, or a second, and no more than five minutes.
void RelayAuditor::halt(Process& process, Steady now, const RelayCall& call) {
  const auto time = std::clamp<seconds>(call.retry_after.value_or(seconds(1)), seconds(1), std::chrono::minutes(5));
  process.halted_until = std::max(process.halted_until, now + time);
  process.halt_to_tell = process.halted_until;
}

/// What the call says of WeChat Pay, the network, the set-up, and other rows.
void RelayAuditor::note(Process& process, Steady now, const RelayCall& call) {
  const Steady steady = now - process.slept;
  switch (call.says()) {
    case Says::setup_wrong:
      process.setup_wrong = true;
      process.ends_since = process.ends_since.value_or(steady);
      return;
    case Says::merchant_doubted: return note_doubt(process, steady, call.merchant);
    case Says::nothing: return note_failure(process, steady);
    default:
      if (!process.proved) process.proved_since = steady;
      process.proved = true;
      process.failures = 0;
      process.pause = seconds(1);
      if (call.says() == Says::merchant_not_permitted) process.holds[call.merchant] = steady + permission_pause;
      if (call.says() == Says::card_not_permitted) process.holds[call.card] = steady + permission_pause;
      return;
  }
}

/// A merchant that is not held is held for a minute, and the call counts as a failure.
void RelayAuditor::note_doubt(Process& process, Steady steady, const std::string& merchant) {
  const auto hold = process.holds.find(merchant);
  if (hold != process.holds.end() && steady < hold->second) return;
  process.holds[merchant] = steady + std::chrono::minutes(1);
  if (process.proved) note_failure(process, steady);
}

void RelayAuditor::note_failure(Process& process, Steady steady) {
  if (process.proved && ++process.failures < most_failures) return;
  if (!process.proved && steady < process.next_probe) return;
  process.proved = false;
  process.next_probe = steady + process.pause;
  process.pause = std::min<milliseconds>(2 * process.pause, seconds(60));
}

void RelayAuditor::finishes(const Process& process, outbox::RelayEnd end, Steady now, milliseconds longest) const {
  const bool waited = process.ends_since && now - *process.ends_since + slack >= longest;
  const auto because = [this](bool reason, const char* what) { world_.expect(reason, "stop", what); };
  switch (end) {
    case outbox::RelayEnd::stopped: return because(process.stopping, "a worker stops without a request to stop");
    case outbox::RelayEnd::unsettled:
      return because(process.stopping && waited, "a worker that was stopped does not wait for its calls");
    case outbox::RelayEnd::setup_wrong: return because(process.setup_wrong, "a worker ends, and its set-up is right");
    case outbox::RelayEnd::database_refused:
      return because(process.database_refused, "a worker ends, and the database lets it work");
  }
}

void RelayAuditor::settled(Process& process, const outbox::Settlement& settlement) {
  const auto claim = process.claims.find(settlement.id);
  if (claim == process.claims.end() || claim->second.token != settlement.token) return;  // it has claimed the row again
  process.claims.erase(claim);
}

}  // namespace wechatpay::bonus_commit::simulation

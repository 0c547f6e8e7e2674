#include "tests/simulation/relay_auditor.hpp"

#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr milliseconds tick{5};  ///< tolerance for rounding
constexpr int most_failures = 20;
constexpr std::chrono::minutes recovery{10};

}  // namespace

RowStory& RelayAuditor::add(unsigned order) {
  RowStory& story = stories_[static_cast<std::int64_t>(stories_.size()) + 1];
  story.order = order;
  return story;
}

void RelayAuditor::excuse(const Process& process) {
  for (const auto& [id, token] : process.claims) stories_.at(id).excused = true;
}

void RelayAuditor::excuse_all() {
  for (auto& [id, story] : stories_) story.excused = true;
}

void RelayAuditor::claimed(Process& process, const outbox::Row& row, const std::string& token) {
  require(!process.stopping, "stop", row.id, "is claimed after the worker was told to stop");
  process.claims[row.id] = stories_.at(row.id).claim = token;
  process.tokens.insert(token);
}

std::int64_t RelayAuditor::held(const Process& process, unsigned order) const {
  for (const auto& [id, token] : process.claims) {
    if (stories_.at(id).order == order) return id;
  }
  return 0;
}

std::int64_t RelayAuditor::sent(Process& process, unsigned order, Steady now, milliseconds lease_left,
                                milliseconds deadline) {
  if (process.calling.count(order) > 0) return 0;
  const std::int64_t id = held(process, order);
  if (world_.logs()) world_.log("row " + std::to_string(id) + ", T" + std::to_string(order) + ", is called");
  ++calls_;
  world_.expect(id != 0, "claim", "a row is called that the worker does not hold");
  RowStory& story = stories_.at(id);
  require(!process.stopping, "stop", id, "is called after the worker was told to stop");
  require(process.proved || process.calling.empty(), "breaker", id, "is called beside another, with the breaker open");
  require(process.proved || now - process.slept + tick >= process.next_probe, "breaker", id,
          "is called before the next probe");
  require(now + tick >= process.halted_until || database_forgets_, "halt", id,
          "is called during the pause after a 429");
  require(story.twin || database_forgets_ || lease_left + tick >= deadline, "lease", id,
          "is called though its lease ends before the call may end");
  for (const Process& other : processes_) {
    const bool at_once = &other != &process && !other.gone && other.calling.count(order) > 0;
    require(!at_once || story.twin || database_forgets_ || worker_sleeps_, "one at a time", id,
            "is called by two workers at once");
  }
  if (story.credited && !story.twin) {
    require(story.excused, "repeats", id, "is called again though nothing had happened to it");
    story.excused = database_forgets_;
    story.credited = false;
  }
  process.calling[order] = process.claims.at(id);
  return id;
}

void RelayAuditor::ended(Process& process, unsigned order, Steady now, const CommitResult& result) {
  if (process.gone) return;
  const auto call = process.calling.extract(order);
  world_.expect(!call.empty(), "call", "a call ends that was not sent");
  if (world_.logs()) {
    world_.log("T" + std::to_string(order) + " ends: " + (result ? "credited" : result.error().to_string()));
  }
  const bool refused = !result && result.error().outcome == Outcome::refused && result.error().verified();
  const bool others_succeed = process.proved && now - process.slept - process.proved_since + tick >= recovery;
  process.ended[order] = {result    ? CallEnd::credited
                          : refused ? CallEnd::refused
                                    : CallEnd::other,
                          call.mapped(), others_succeed};
  const std::int64_t id = held(process, order);
  if (result && id != 0 && stories_.at(id).claim == process.claims.at(id)) stories_.at(id).credited = true;
  note(process, now, result);
}

/// What the result says of WeChat Pay and the network.
void RelayAuditor::note(Process& process, Steady now, const CommitResult& result) {
  const Steady steady = now - process.slept;
  if (const auto halt = outbox::halt_after(result)) process.halted_until = std::max(process.halted_until, now + *halt);
  switch (outbox::meaning_of(result)) {
    case outbox::Meaning::credited:
    case outbox::Meaning::refused:
    case outbox::Meaning::permission_missing:
      if (!process.proved) process.proved_since = steady;
      process.proved = true;
      process.failures = 0;
      process.pause = seconds(1);
      return;
    case outbox::Meaning::failed: break;
    default: return;
  }
  if (process.proved && ++process.failures < most_failures) return;
  if (!process.proved && steady < process.next_probe) return;
  process.proved = false;
  process.next_probe = steady + process.pause;
  process.pause = std::min<milliseconds>(2 * process.pause, seconds(60));
}

void RelayAuditor::settles(Process& process, const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
                           int committed) {
  const std::int64_t id = settlement.id;
  const RowStory& story = stories_.at(id);
  require(process.tokens.count(settlement.token) > 0, "token", id, "is settled under the token of another worker");
  const auto end = process.ended.find(story.order);
  const bool called = end != process.ended.end() && end->second.token == settlement.token;
  const bool credited = called && end->second.how == CallEnd::credited;
  switch (settlement.fate) {
    case outbox::Fate::done:
      require((credited || story.twin) && committed > 0, "done", id, "is done without a receipt");
      return;
    case outbox::Fate::dead:
      require(!credited || story.twin, "dead", id, "is dead though it is credited");
      return check_death(settlement, row, age, called ? end->second : CallEnd());
    case outbox::Fate::wait:
      require(called || story.cursed || story.twin, "attempts", id, "counts a call that was not made");
      [[fallthrough]];
    case outbox::Fate::hand_back:
      require(!credited || story.twin || story.cursed, "done", id, "goes back though it is credited");
  }
}

/// Each kind of death has its documented reason.
void RelayAuditor::check_death(const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
                               const CallEnd& end) const {
  const std::string& kind = settlement.kind;
  const RowStory& story = stories_.at(row.id);
  const auto because = [&](bool reason, const char* what) { require(reason, "dead", row.id, what); };
  if (kind == "invalid") return because(story.wrong, "is dead as invalid");
  if (kind == "refused") return because(end.how == CallEnd::refused || story.twin, "is dead as refused, and was not");
  if (kind == "conflict") return because(story.twin, "is dead as a conflict with no other row");
  if (kind == "poison") return because(row.claims > row.attempts + 10, "is dead as poison too early");
  because(kind == "exhausted", "is dead for no documented reason");
  because(giving_up.ever, "is given up, and no row may be");
  because(row.attempts + 1 >= giving_up.attempts, "is given up after too few calls");
  because(age + seconds(1) >= giving_up.age || database_forgets_, "is given up too young");
  because(end.others_succeed || story.twin, "is given up though it is not alone in failing");
}

void RelayAuditor::settled(Process& process, const outbox::Settlement& settlement) {
  const auto claim = process.claims.find(settlement.id);
  if (claim == process.claims.end() || claim->second != settlement.token) return;  // it has claimed the row again
  process.claims.erase(claim);
}

}  // namespace wechatpay::bonus_commit::simulation

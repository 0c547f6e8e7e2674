#include "tests/simulation/relay_auditor.hpp"

#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr milliseconds tick{5};  ///< tolerance for rounding
constexpr int most_failures = 20;

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

std::int64_t RelayAuditor::sent(Process& process, unsigned order, milliseconds lease_left, milliseconds deadline) {
  if (process.calling.count(order) > 0) return 0;
  const std::int64_t id = held(process, order);
  if (world_.logs()) world_.log("row " + std::to_string(id) + ", T" + std::to_string(order) + ", is called");
  ++calls_;
  world_.expect(id != 0, "claim", "a row is called that the worker does not hold");
  RowStory& story = stories_.at(id);
  require(!process.stopping, "stop", id, "is called after the worker was told to stop");
  require(process.proved || process.calling.empty(), "breaker", id, "is called beside another, with the breaker open");
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

void RelayAuditor::ended(Process& process, unsigned order, const CommitResult& result) {
  if (process.gone) return;
  const auto call = process.calling.extract(order);
  world_.expect(!call.empty(), "call", "a call ends that was not sent");
  if (world_.logs()) {
    world_.log("T" + std::to_string(order) + " ends: " + (result ? "credited" : result.error().to_string()));
  }
  const bool refused = !result && result.error().outcome == Outcome::refused && result.error().verified();
  process.ended[order] = {result ? CallEnd::credited : refused ? CallEnd::refused : CallEnd::other, call.mapped()};
  const std::int64_t id = held(process, order);
  if (result && id != 0 && stories_.at(id).claim == process.claims.at(id)) stories_.at(id).credited = true;
  switch (outbox::meaning_of(result)) {
    case outbox::Meaning::credited:
    case outbox::Meaning::refused:
    case outbox::Meaning::permission_missing:
      process.proved = true;
      process.failures = 0;
      break;
    case outbox::Meaning::failed:
      if (process.proved && ++process.failures >= most_failures) process.proved = false;
      break;
    default: break;
  }
}

void RelayAuditor::settles(Process& process, const outbox::Settlement& settlement, int committed) {
  const std::int64_t id = settlement.id;
  const RowStory& story = stories_.at(id);
  require(process.tokens.count(settlement.token) > 0, "token", id, "is settled under the token of another worker");
  const auto end = process.ended.find(story.order);
  const bool called = end != process.ended.end() && end->second.token == settlement.token;
  const bool credited = called && end->second.how == CallEnd::credited;
  const bool refused = called && end->second.how == CallEnd::refused;
  switch (settlement.fate) {
    case outbox::Fate::done:
      require((credited || story.twin) && committed > 0, "done", id, "is done without a receipt");
      return;
    case outbox::Fate::dead:
      require(settlement.kind != "invalid" || story.wrong, "dead", id, "is dead as invalid");
      require(settlement.kind != "refused" || refused || story.twin, "dead", id, "is dead as refused, and was not");
      require(settlement.kind != "conflict" || story.twin, "dead", id, "is dead as a conflict with no other row");
      require(!credited || story.twin, "dead", id, "is dead though it is credited");
      return;
    case outbox::Fate::wait:
      require(called || story.cursed || story.twin, "attempts", id, "counts a call that was not made");
      [[fallthrough]];
    case outbox::Fate::hand_back:
      require(!credited || story.twin || story.cursed, "done", id, "goes back though it is credited");
  }
}

void RelayAuditor::settled(Process& process, const outbox::Settlement& settlement) {
  const auto claim = process.claims.find(settlement.id);
  if (claim == process.claims.end() || claim->second != settlement.token) return;  // it has claimed the row again
  process.claims.erase(claim);
}

}  // namespace wechatpay::bonus_commit::simulation

// The relay's auditor: what becomes of a row.
#include <algorithm>

#include "tests/simulation/relay_auditor.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

/// Whether it is the pause of a row whose call has failed after so many others: 5 s, doubled each time, up to an hour,
/// plus or minus 20 %.
bool is_backoff(milliseconds pause, int attempts) {
  milliseconds middle{5000};
  for (int i = 0; i < attempts && middle < std::chrono::hours(1); ++i) middle *= 2;
  middle = std::min<milliseconds>(middle, std::chrono::hours(1));
  return pause + milliseconds(1) >= middle * 8 / 10 && pause <= middle * 12 / 10 + milliseconds(1);
}

}  // namespace

void RelayAuditor::settles(Process& process, const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
                           int committed) {
  const std::int64_t id = settlement.id;
  const RowStory& story = stories_.at(id);
  require(process.tokens.count(settlement.token) > 0, "token", id, "is settled under the token of another worker");
  const auto end = process.ended.find(story.order);
  const bool called = end != process.ended.end() && end->second.token == settlement.token;
  const RelayCall* const call = called ? &end->second : nullptr;
  const bool credited = called && call->says() == Says::credited;
  switch (settlement.fate) {
    case outbox::Fate::done:
      require((credited || story.twin) && committed > 0, "done", id, "is done without a receipt");
      return;
    case outbox::Fate::dead:
      require(!credited || story.twin, "dead", id, "is dead though it is credited");
      return check_death(process, settlement, row, age, call);
    case outbox::Fate::wait:
      require(called || story.cursed || story.twin, "attempts", id, "counts a call that was not made");
      [[fallthrough]];
    case outbox::Fate::hand_back:
      require(!credited || story.twin || story.cursed, "done", id, "goes back though it is credited");
      if (!story.twin && !story.cursed) check_return(process, settlement, row, call);
  }
}

/// A row that waits, or that is handed back. `call` is null if no call was made.
void RelayAuditor::check_return(const Process& process, const outbox::Settlement& settlement, const outbox::Row& row,
                                const RelayCall* call) const {
  const RowStory& story = stories_.at(settlement.id);
  const auto because = [&](bool reason, const char* what) { require(reason, "goes back", settlement.id, what); };
  if (call == nullptr) {
    const auto holds = [&story](const auto& all) { return all.count(story.merchant) + all.count(story.card) > 0; };
    const bool held = holds(process.holds) || holds(process.old_holds);
    return because(held || settlement.pause <= seconds(1),
                   "waits though neither its merchant nor its card was refused");
  }
  const Says says = call->says();
  because(says != Says::refused, "is called again though WeChat Pay has refused it");
  because((settlement.fate == outbox::Fate::hand_back) == (says == Says::setup_wrong),
          "has a call that does not count, or one that counts though the set-up is wrong");
  if (settlement.fate == outbox::Fate::hand_back) return;
  const bool forbidden = says == Says::merchant_not_permitted || says == Says::card_not_permitted;
  because(forbidden ? settlement.pause == permission_pause : is_backoff(settlement.pause, row.attempts),
          "waits for another time than it should");
}

/// Each kind of death has its documented reason.
void RelayAuditor::check_death(const Process& process, const outbox::Settlement& settlement, const outbox::Row& row,
                               seconds age, const RelayCall* call) const {
  const std::string& kind = settlement.kind;
  const RowStory& story = stories_.at(row.id);
  const auto because = [&](bool reason, const char* what) { require(reason, "dead", row.id, what); };
  if (kind == "invalid") return because(story.wrong, "is dead as invalid");
  if (kind == "refused") {
    const Says says = call == nullptr ? Says::nothing : call->says();
    const bool often =
        says == Says::merchant_doubted && !call->in_doubt && row.attempts + 1 >= 5 && call->others_succeed;
    return because(story.twin || says == Says::refused || often, "is dead as refused, and was not");
  }
  if (kind == "conflict") {
    return because(process.claims.at(row.id).contradicted, "is dead as a conflict with no other row");
  }
  if (kind == "poison") {
    because(row.claims > row.attempts + 10, "is dead as poison too early");
    // Several rows that crash their workers, or lost answers to claims, may add up for a row that crashes none.
    const auto poisons =
        std::count_if(stories_.begin(), stories_.end(), [](const auto& one) { return one.second.poison; });
    return because(story.poison || poisons > 1 || database_errs_, "is dead as poison though it crashes no worker");
  }
  because(kind == "exhausted", "is dead for no documented reason");
  because(giving_up.ever, "is given up, and no row may be");
  because(row.attempts + 1 >= giving_up.attempts, "is given up after too few calls");
  because(age + seconds(1) >= giving_up.age || database_forgets_, "is given up too young");
  const bool alone = call != nullptr && call->says() == Says::nothing && call->others_succeed;
  because(alone || story.twin, "is given up though it is not alone in failing");
}

}  // namespace wechatpay::bonus_commit::simulation

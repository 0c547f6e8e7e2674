#include "src/outbox/paced_store.hpp"

namespace wechatpay::bonus_commit::outbox {

std::vector<Row> PacedStore::claim(const Claim& claim) {
  const bool paced = claim.pace.per_second > 0;
  const bool may_claim = this->may_claim(claim);
  waits_for_rate_ = paced && !may_claim;
  if (!may_claim) return {};
  std::vector<Row> rows = take(claim);
  if (!paced || rows.size() >= claim.most) return rows;
  try {
    give_back(claim, claim.most - rows.size());
  } catch (const DatabaseError&) {  // the rows are still used; a lasting fault shows again in the next statement
  }
  return rows;
}

}  // namespace wechatpay::bonus_commit::outbox

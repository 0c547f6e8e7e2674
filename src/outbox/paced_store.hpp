// What claims have in common in all databases.
#ifndef WECHATPAY_SRC_OUTBOX_PACED_STORE_HPP
#define WECHATPAY_SRC_OUTBOX_PACED_STORE_HPP

#include <cstddef>
#include <vector>

#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Reserves time of the shared rate before each claim, and gives back what the claim did not use.
class PacedStore : public Store {
 public:
  std::vector<Row> claim(const Claim& claim) final;
  bool waits_for_rate() const final { return waits_for_rate_; }

 private:
  /// With a rate: reserves the time of all rows that are asked for, if the burst limit allows it. A time too far in the
  /// future was written before the database's clock was set back, and is replaced. Without a rate, an implementation
  /// may leave the check for a halt to take().
  virtual bool may_claim(const Claim& claim) = 0;

  virtual std::vector<Row> take(const Claim& claim) = 0;

  /// Gives back the time of this many rows.
  virtual void give_back(const Claim& claim, std::size_t rows) = 0;

  bool waits_for_rate_ = false;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

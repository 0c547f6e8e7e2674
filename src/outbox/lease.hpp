// How long a claimed row belongs to this worker.
#ifndef WECHATPAY_SRC_OUTBOX_LEASE_HPP
#define WECHATPAY_SRC_OUTBOX_LEASE_HPP

#include <chrono>

#include "src/outbox/boot_clock.hpp"

namespace wechatpay::bonus_commit::outbox {

/// It is counted from before the claim's statement was sent, so it ends here before it ends in the database. Its length
/// is three times the deadline of a call.
class Lease {
 public:
  using Clock = BootClock;

  Lease(Clock::time_point begin, std::chrono::milliseconds length) : begin_(begin), length_(length) {}

  static std::chrono::milliseconds deadline(std::chrono::milliseconds length) { return length / 3; }

  /// Whether a call that starts now ends before the lease does.
  bool has_room(Clock::time_point now) const { return now - begin_ <= length_ - deadline(length_); }

  /// When the lease is to be renewed.
  Clock::time_point renewal() const { return begin_ + length_ / 3; }

 private:
  Clock::time_point begin_;
  std::chrono::milliseconds length_;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

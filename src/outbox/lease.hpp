// For how long a claimed row is this worker's.
#ifndef WECHATPAY_SRC_OUTBOX_LEASE_HPP
#define WECHATPAY_SRC_OUTBOX_LEASE_HPP

#include <chrono>

#include "src/outbox/boot_clock.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Counted from before its statement was sent, so it ends here before it ends in the database. Its length is three
/// deadlines of a call.
class Lease {
 public:
  using Clock = BootClock;

  Lease(Clock::time_point begin, std::chrono::milliseconds length) : begin_(begin), length_(length) {}

  static std::chrono::milliseconds deadline(std::chrono::milliseconds length) { return length / 3; }

  /// Whether a call that starts now ends within it.
  bool has_room(Clock::time_point now) const { return now - begin_ <= length_ - deadline(length_); }

  /// When it is to be renewed.
  Clock::time_point renewal() const { return begin_ + length_ / 3; }

 private:
  Clock::time_point begin_;
  std::chrono::milliseconds length_;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

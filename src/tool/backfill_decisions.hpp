// Decides when a file of orders has failed too often to continue.
#ifndef WECHATPAY_SRC_TOOL_BACKFILL_DECISIONS_HPP
#define WECHATPAY_SRC_TOOL_BACKFILL_DECISIONS_HPP

#include <algorithm>
#include <cstdint>

#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::tool {

/// Counts consecutive failures.
class FailuresInARow {
 public:
  /// `most`: this many failures are too many; 0: no limit. For missing permissions and refused merchant ids the limit
  /// is ten at most, because they most likely concern all orders of a merchant.
  explicit FailuresInARow(std::uint64_t most) : most_(most) {}

  void credited() { failures_ = of_a_merchant_ = 0; }

  /// Whether there are too many failures, including one with this meaning.
  bool too_many_with(outbox::Meaning meaning) {
    using outbox::Meaning;
    ++failures_;
    const bool of_a_merchant = meaning == Meaning::permission_missing || meaning == Meaning::setup_doubtful;
    of_a_merchant_ = of_a_merchant ? of_a_merchant_ + 1 : 0;
    return most_ != 0 && (failures_ >= most_ || of_a_merchant_ >= std::min(most_, most_of_a_merchant));
  }

  std::uint64_t count() const { return failures_; }

 private:
  static constexpr std::uint64_t most_of_a_merchant = 10;

  const std::uint64_t most_;
  std::uint64_t failures_ = 0;
  std::uint64_t of_a_merchant_ = 0;
};

}  // namespace wechatpay::bonus_commit::tool

#endif

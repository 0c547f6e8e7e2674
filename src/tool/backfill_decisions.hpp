// Decides when a file of orders has failed too often to continue.
#ifndef WECHATPAY_SRC_TOOL_BACKFILL_DECISIONS_HPP
#define WECHATPAY_SRC_TOOL_BACKFILL_DECISIONS_HPP

#include <wechatpay/bonus_commit/error.hpp>

#include <algorithm>
#include <cstdint>

namespace wechatpay::bonus_commit::tool {

/// Counts consecutive failures.
class FailuresInARow {
 public:
  /// `most`: this many failures are too many; 0: no limit. For missing permissions the limit is ten at most, because
  /// they most likely concern all orders of a merchant.
  explicit FailuresInARow(std::uint64_t most) : most_(most) {}

  void credited() { failures_ = permissions_ = 0; }

  /// Whether there are too many failures, including `error`.
  bool too_many_with(const Error& error) {
    ++failures_;
    permissions_ = error.remedy == Remedy::ask_wechat_pay ? permissions_ + 1 : 0;
    return most_ != 0 && (failures_ >= most_ || permissions_ >= std::min(most_, most_permissions));
  }

  std::uint64_t count() const { return failures_; }

 private:
  static constexpr std::uint64_t most_permissions = 10;

  const std::uint64_t most_;
  std::uint64_t failures_ = 0;
  std::uint64_t permissions_ = 0;
};

}  // namespace wechatpay::bonus_commit::tool

#endif

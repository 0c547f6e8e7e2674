// What becomes of a row: before its call, and by the result of its call. Pure functions.
#ifndef WECHATPAY_SRC_OUTBOX_DECISIONS_HPP
#define WECHATPAY_SRC_OUTBOX_DECISIONS_HPP

#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "src/outbox/row.hpp"

namespace wechatpay::bonus_commit::outbox {

/// How long the rows of a merchant wait that WeChat Pay has refused a permission.
inline constexpr std::chrono::minutes permission_pause{10};

/// How long the rows of a merchant wait whose id WeChat Pay has refused.
inline constexpr std::chrono::minutes doubtful_pause{1};

/// min(2^attempts * 5 s, 1 h), 20 % more or less. `random`: from 0 to 1; `attempts`: the failed calls before this one.
std::chrono::milliseconds backoff(int attempts, double random);

/// Whether the row is claimed alone: so many claims ended without a result that the row may be what kills its worker.
bool is_suspect(const Row& row);

/// Why the row is dead before any call; nothing where it is not: it has killed too many workers, or its order is done
/// with other points.
std::optional<Settlement> dead_before_call(const Row& row, const std::string& token);

/// When a row that fails is given up: only when all three are so.
struct GivingUp {
  bool ever = true;
  std::chrono::hours age{72};
  int attempts = 12;
};

/// What becomes of a row by the result of its call. `others_succeed`: so that a failure says something about this
/// order.
Settlement settlement_of(const Row& row, const std::string& token, const CommitResult& result,
                         const GivingUp& giving_up, bool others_succeed, double random);

/// Which merchant ids the order carries: those that it has.
MerchantMode mode_of(const BonusCommitRequest& order);

/// Whether the check takes the order with the merchant ids that it has, and refuses it in this mode.
bool fits_another_mode(BonusCommitRequest order, MerchantMode mode);

/// What no two calls at a time may be about.
std::string order_key(const BonusCommitRequest& order);

}  // namespace wechatpay::bonus_commit::outbox

#endif

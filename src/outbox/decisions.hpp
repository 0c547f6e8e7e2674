// Decides what happens to a row before its call, and after it by the call's result. Pure functions.
#ifndef WECHATPAY_SRC_OUTBOX_DECISIONS_HPP
#define WECHATPAY_SRC_OUTBOX_DECISIONS_HPP

#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "src/outbox/row.hpp"

namespace wechatpay::bonus_commit::outbox {

/// How long the rows of a merchant wait after WeChat Pay has refused it a permission.
inline constexpr std::chrono::minutes permission_pause{10};

/// How long the rows of a merchant wait after WeChat Pay has refused its id.
inline constexpr std::chrono::minutes doubtful_pause{1};

/// The pause before the next call: min(2^attempts * 5 s, 1 h), plus or minus 20 %. `random`: from 0 to 1. `attempts`:
/// the number of failed calls before this one.
std::chrono::milliseconds backoff(int attempts, double random);

/// Whether the row must be processed without any other row: so many of its claims ended without a result that the row
/// itself may crash its worker.
bool is_suspect(const Row& row);

/// The settlement of a row that is dead before any call: it has crashed too many workers, or its order is already done
/// with other points. Nothing if the row may be called.
std::optional<Settlement> dead_before_call(const Row& row, const std::string& token);

/// When to give up a row that fails. All three conditions must hold.
struct GivingUp {
  bool ever = true;
  std::chrono::hours age{72};
  int attempts = 12;
};

/// What happens to a row after a call with this result. `others_succeed`: other calls succeed, so a failure says
/// something about this order.
Settlement settlement_of(const Row& row, const std::string& token, const CommitResult& result,
                         const GivingUp& giving_up, bool others_succeed, double random);

/// The mode that matches the merchant ids which the order has.
MerchantMode mode_of(const BonusCommitRequest& order);

/// Whether the check accepts the order in the mode that matches its merchant ids, but refuses it in `mode`.
bool fits_another_mode(BonusCommitRequest order, MerchantMode mode);

/// The key of an order. There is at most one call at a time for each key.
std::string order_key(const BonusCommitRequest& order);

}  // namespace wechatpay::bonus_commit::outbox

#endif

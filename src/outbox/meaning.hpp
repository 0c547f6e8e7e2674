// What the result of a commit says about its order and about all the others; decided by Error::remedy.
#ifndef WECHATPAY_SRC_OUTBOX_MEANING_HPP
#define WECHATPAY_SRC_OUTBOX_MEANING_HPP

#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <optional>

namespace wechatpay::bonus_commit::outbox {

enum class Meaning {
  credited,            ///< done
  invalid,             ///< the check refused the order: nothing was sent
  refused,             ///< WeChat Pay refused the order, under a valid signature, for what it is
  permission_missing,  ///< a merchant lacks a permission: its other orders would meet the same
  setup_wrong,         ///< keys, options, clock or trust are wrong: every order would meet the same
  setup_doubtful,  ///< WeChat Pay refused it under a valid signature, for a merchant id: the order's or the set-up's
  not_called,      ///< the call ended before a request was sent
  failed,          ///< nothing is known of the order: repeat it later
};

Meaning meaning_of(const CommitResult& result);

/// Whether another run would have no other result: credited, or refused by WeChat Pay itself for what the order is.
bool settled(const CommitResult& result);

/// Whether every further order would meet the same.
bool concerns_all_orders(const Error& error);

/// How long all workers of a merchant are to send nothing: after a 429, as Retry-After asks or 1 s, at most 5 minutes.
std::optional<std::chrono::milliseconds> halt_after(const CommitResult& result);

}  // namespace wechatpay::bonus_commit::outbox

#endif

// What the result of a commit says about its order and about all other orders. It is decided by Error::remedy.
#ifndef WECHATPAY_SRC_OUTBOX_MEANING_HPP
#define WECHATPAY_SRC_OUTBOX_MEANING_HPP

#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <optional>

namespace wechatpay::bonus_commit::outbox {

enum class Meaning {
  credited,            ///< WeChat Pay confirmed it
  invalid,             ///< the check refused the order: nothing was sent
  refused,             ///< WeChat Pay refused the order because of its content, with a valid signature
  permission_missing,  ///< the merchant lacks a permission: its other orders would fail in the same way
  setup_wrong,         ///< wrong keys, options, clock or trust settings: every order would fail in the same way
  setup_doubtful,      ///< refused with a valid signature for a merchant id: the order or the set-up is wrong
  not_called,          ///< the call ended before a request was sent
  failed,              ///< the result says nothing about the order: try it again later
};

Meaning meaning_of(const CommitResult& result);

/// Whether another run would have the same result: the order is credited, or WeChat Pay refused it because of its
/// content.
bool settled(Meaning meaning) noexcept;

/// How long all workers of a merchant must not send: after a 429, what Retry-After asks for or 1 s, and at most 5
/// minutes. Nothing if no try was answered with 429.
std::optional<std::chrono::milliseconds> halt_after(const CommitResult& result);

}  // namespace wechatpay::bonus_commit::outbox

#endif

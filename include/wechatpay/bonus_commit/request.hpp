/// What a commit says, and whether it is what the endpoint documents.
#ifndef WECHATPAY_BONUS_COMMIT_REQUEST_HPP
#define WECHATPAY_BONUS_COMMIT_REQUEST_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Which merchant ids the body carries. WeChat Pay's pages differ by the kind of merchant, and an id that was
/// forgotten must not look like one that was left out on purpose: so it is said.
enum class MerchantMode {
  both,     ///< `mchid` and `sub_mchid`
  direct,   ///< `mchid` alone: a direct merchant (直连商户)
  partner,  ///< `sub_mchid` alone: a service provider (服务商)
};

/// As json.hpp and the command line spell it: "both", "direct" or "partner".
constexpr std::string_view to_string(MerchantMode mode) noexcept {
  switch (mode) {
    case MerchantMode::both: return "both";
    case MerchantMode::direct: return "direct";
    case MerchantMode::partner: return "partner";
  }
  return "unknown";
}

/// Marks the bonus points that an order earned as credited (设置支付后展示的积分到账):
/// POST /v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit.
///
/// Every text is UTF-8, 1 to 32 characters of at most three bytes each (WeChat Pay takes no emoji), without control
/// characters and characters that cannot be seen, and neither begins nor ends with a blank. The merchant ids are ASCII
/// digits.
struct BonusCommitRequest {
  std::string card_id{};         ///< the membership card's template id (会员卡模板 id); goes into the path
  std::string code{};            ///< the member's card code (会员卡 code); goes into the path
  std::string out_trade_no{};    ///< the merchant's order number (商户订单号)
  std::string mchid{};           ///< the direct merchant's id (直连商户号)
  std::string sub_mchid{};       ///< the sub-merchant's id (子商户号)
  std::int64_t bonus_value = 0;  ///< the points; 1 or more
  MerchantMode merchant_mode = MerchantMode::both;  ///< which of the two ids the body carries

  /// Everything that is wrong, in the order of the fields; empty where the request can be sent. Refuses what WeChat
  /// Pay's documents rule out and what would break the path or the JSON; rules that only the server knows are left to
  /// the server. Needs no network. Thread-safe. A member, so that a function check() of yours is never mistaken for it.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT std::vector<Fault> check() const;
};

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/request.ipp"
#endif

#endif

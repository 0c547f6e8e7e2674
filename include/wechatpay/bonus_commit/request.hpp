/// The request of a commit, and the check of its fields.
#ifndef WECHATPAY_BONUS_COMMIT_REQUEST_HPP
#define WECHATPAY_BONUS_COMMIT_REQUEST_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Which merchant ids the body contains. WeChat Pay's documents differ by the kind of merchant. The choice is explicit,
/// so that a forgotten id is not taken for one that was left out on purpose.
enum class MerchantMode {
  both,     ///< `mchid` and `sub_mchid`
  direct,   ///< only `mchid`: a direct merchant (直连商户)
  partner,  ///< only `sub_mchid`: a service provider (服务商)
};

/// The name in json.hpp and on the command line: "both", "direct" or "partner".
constexpr std::string_view to_string(MerchantMode mode) noexcept {
  switch (mode) {
    case MerchantMode::both: return "both";
    case MerchantMode::direct: return "direct";
    case MerchantMode::partner: return "partner";
  }
  return "unknown";
}

/// Marks the bonus points that an order earned as credited on WeChat Pay's side (设置支付后展示的积分到账): POST
/// /v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit.
///
/// Every text is UTF-8 with 1 to 32 characters of at most three bytes each (WeChat Pay accepts no emoji). It has no
/// control or invisible characters, and no blank at either end. Merchant ids are ASCII digits.
struct BonusCommitRequest {
  std::string card_id{};         ///< the membership card's template id (会员卡模板 id); goes into the path
  std::string code{};            ///< the member's card code (会员卡 code); goes into the path
  std::string out_trade_no{};    ///< the merchant's order number (商户订单号)
  std::string mchid{};           ///< the direct merchant's id (直连商户号)
  std::string sub_mchid{};       ///< the sub-merchant's id (子商户号)
  std::int64_t bonus_value = 0;  ///< the points; 1 or more
  MerchantMode merchant_mode = MerchantMode::both;  ///< which of the two ids the body contains

  /// Returns all faults, in the order of the fields; empty if the request can be sent. It refuses what WeChat Pay's
  /// documents rule out, and what would break the path or the JSON. Rules that only the server knows are left to the
  /// server. Needs no network. Thread-safe. It is a member function so that your own function check() is never called
  /// by mistake.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT std::vector<Fault> check() const;
};

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/request.ipp"
#endif

#endif

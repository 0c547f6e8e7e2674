#ifndef WECHATPAY_BONUS_COMMIT_IMPL_REQUEST_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_REQUEST_IPP

#include "wechatpay/bonus_commit/request.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/stages/check.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

WECHATPAY_BONUS_COMMIT_DECL std::vector<Fault> BonusCommitRequest::check() const {
  std::vector<Fault> faults;
  const auto add = [&faults](std::vector<Fault> found) {
    for (Fault& fault : found) faults.push_back(std::move(fault));
  };
  const auto check_id = [&](std::string_view field, const std::string& id, bool wanted, const char* fitting_without,
                            const char* fitting_with) {
    if (wanted && id.empty()) {
      add({{std::string(field), "", "is missing; " + std::string(fitting_without), "body"}});
    } else if (wanted) {
      add(stages::check_mchid(field, id));
    } else if (!id.empty()) {
      const std::string mode(to_string(merchant_mode));
      add({{std::string(field), stages::printable(id, 64),
            "must not be given with MerchantMode::" + mode + "; " + fitting_with, "body"}});
    }
  };
  const bool has_mchid = !mchid.empty();
  const bool has_sub_mchid = !sub_mchid.empty();
  const bool direct = merchant_mode == MerchantMode::direct;
  const bool partner = merchant_mode == MerchantMode::partner;

  add(stages::check_text("card_id", card_id, "path"));
  add(stages::check_text("code", code, "path"));
  add(stages::check_text("/out_trade_no", out_trade_no, "body"));
  check_id("/mchid", mchid, !partner,
           has_sub_mchid ? "MerchantMode::partner fits a call with sub_mchid alone" : "give the direct merchant's id",
           has_sub_mchid ? "MerchantMode::both fits a call with both ids"
                         : "MerchantMode::direct fits a call with mchid alone");
  check_id("/sub_mchid", sub_mchid, !direct,
           has_mchid ? "MerchantMode::direct fits a call with mchid alone" : "give the sub-merchant's id",
           has_mchid ? "MerchantMode::both fits a call with both ids"
                     : "MerchantMode::partner fits a call with sub_mchid alone");
  if (bonus_value < 1) {
    add({{"/bonus_value", std::to_string(bonus_value), "must be 1 or more", "body"}});
  }
  return faults;
}

WECHATPAY_BONUS_COMMIT_END

#endif

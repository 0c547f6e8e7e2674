/// Conversion of BonusCommitRequest for users of nlohmann/json. The library itself does not include this header;
/// include it where you need it.
///
///     nlohmann::json order = request;
///     auto request = order.get<wechatpay::bonus_commit::BonusCommitRequest>();
#ifndef WECHATPAY_BONUS_COMMIT_JSON_HPP
#define WECHATPAY_BONUS_COMMIT_JSON_HPP

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/request.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// \ingroup stages
/// Throws std::invalid_argument. It is outside the templates below, so that they compile with -fno-exceptions.
[[noreturn]] WECHATPAY_BONUS_COMMIT_EXPORT void throw_invalid_json(const char* why);

}  // namespace stages

/// Writes all fields under their names. `merchant_mode` is "both", "direct" or "partner". An empty merchant id is left
/// out.
template <typename Json, typename = typename Json::json_pointer>
void to_json(Json& json, const BonusCommitRequest& request) {
  json = Json::object();
  json["card_id"] = request.card_id;
  json["code"] = request.code;
  json["out_trade_no"] = request.out_trade_no;
  if (!request.mchid.empty()) json["mchid"] = request.mchid;
  if (!request.sub_mchid.empty()) json["sub_mchid"] = request.sub_mchid;
  json["bonus_value"] = request.bonus_value;
  json["merchant_mode"] = std::string(to_string(request.merchant_mode));
}

/// Reads what to_json() writes. `mchid`, `sub_mchid` and `merchant_mode` may be absent. The mode is then
/// MerchantMode::both; it is never guessed from the ids. Throws nlohmann's exceptions if a key is missing or has a
/// wrong type. Throws std::invalid_argument, which names the key, if `bonus_value` is not a 64-bit integer or the mode
/// does not exist. Call BonusCommitRequest::check() on the result.
template <typename Json, typename = typename Json::json_pointer>
void from_json(const Json& json, BonusCommitRequest& request) {
  BonusCommitRequest read;
  json.at("card_id").get_to(read.card_id);
  json.at("code").get_to(read.code);
  json.at("out_trade_no").get_to(read.out_trade_no);
  if (json.contains("mchid")) json.at("mchid").get_to(read.mchid);
  if (json.contains("sub_mchid")) json.at("sub_mchid").get_to(read.sub_mchid);

  const Json& points = json.at("bonus_value");
  constexpr auto largest = static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max)());
  if (!points.is_number_integer() || (points.is_number_unsigned() && points.template get<std::uint64_t>() > largest)) {
    stages::throw_invalid_json("bonus_value must be an integer of 64 bits");
  }
  points.get_to(read.bonus_value);

  const std::string mode = json.value("merchant_mode", std::string("both"));
  bool known = false;
  for (const MerchantMode candidate : {MerchantMode::both, MerchantMode::direct, MerchantMode::partner}) {
    if (mode != to_string(candidate)) continue;
    read.merchant_mode = candidate;
    known = true;
  }
  if (!known) stages::throw_invalid_json("merchant_mode must be both, direct or partner");
  request = read;
}

WECHATPAY_BONUS_COMMIT_END

#endif

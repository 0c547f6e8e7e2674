#include "wechatpay/bonus_commit/stages/body.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "wechatpay/bonus_commit/stages/check.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {
namespace {

using nlohmann::json;

/// A JSON string. Throws nlohmann's type_error if `text` is not UTF-8.
std::string json_string(const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  return plain ? '"' + text + '"' : json(text).dump();
}

}  // namespace

Result<std::string> serialize(const BonusCommitRequest& request) {
  try {
    std::string body;
    body.reserve(256);  // enough for all allowed values, except in scripts with three bytes per character
    body.append("{\"out_trade_no\":").append(json_string(request.out_trade_no));
    if (request.merchant_mode != MerchantMode::partner) body.append(",\"mchid\":").append(json_string(request.mchid));
    if (request.merchant_mode != MerchantMode::direct) {
      body.append(",\"sub_mchid\":").append(json_string(request.sub_mchid));
    }
    body.append(",\"bonus_value\":").append(std::to_string(request.bonus_value)).append(1, '}');
    return body;
  } catch (const json::type_error&) {
    return invalid_request(request.check());
  }
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

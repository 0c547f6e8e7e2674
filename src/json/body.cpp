#include "wechatpay/bonus_commit/stages/body.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "wechatpay/bonus_commit/stages/check.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {
namespace {

using nlohmann::json;

/// Appends a JSON string. Throws nlohmann's type_error if `text` is not UTF-8.
void append_string(std::string& body, const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain) {
    body.append(1, '"').append(text).append(1, '"');
  } else {
    body.append(json(text).dump());
  }
}

}  // namespace

Result<std::string> serialize(const BonusCommitRequest& request) {
  try {
    std::string body;
    body.reserve(request.out_trade_no.size() + request.mchid.size() + request.sub_mchid.size() + 80);
    append_string(body.append("{\"out_trade_no\":"), request.out_trade_no);
    if (request.merchant_mode != MerchantMode::partner) append_string(body.append(",\"mchid\":"), request.mchid);
    if (request.merchant_mode != MerchantMode::direct) append_string(body.append(",\"sub_mchid\":"), request.sub_mchid);
    body.append(",\"bonus_value\":").append(std::to_string(request.bonus_value)).append(1, '}');
    return body;
  } catch (const json::type_error&) {
    return invalid_request(request.check());
  }
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

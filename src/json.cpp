#include <nlohmann/json.hpp>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"

namespace wechatpay {
namespace {

using nlohmann::json;

/// A string as it is, any other value as JSON, nothing for a key that is not there.
std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Takes signatures out of every text: before it is dumped, so that JSON's escapes neither hide nor imitate one.
void remove_signatures(json& value) {
  if (value.is_string()) value = without_signatures(value.get_ref<const std::string&>());
  if (value.is_structured()) {
    for (json& inner : value) remove_signatures(inner);
  }
}

}  // namespace

Result<std::string> serialize(const BonusCommitRequest& request) {
  nlohmann::ordered_json body = {{"out_trade_no", request.out_trade_no}};
  if (request.merchant_mode != MerchantMode::partner) body["mchid"] = request.mchid;
  if (request.merchant_mode != MerchantMode::direct) body["sub_mchid"] = request.sub_mchid;
  body["bonus_value"] = request.bonus_value;
  try {
    return body.dump();
  } catch (const json::type_error&) {
    return invalid_request(check(request));
  }
}

std::optional<ErrorBody> parse_error_body(std::string_view body) {
  constexpr int deepest = 32;
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= deepest; };
  json parsed = json::parse(body, shallow, false);
  if (!parsed.is_object()) return std::nullopt;
  const auto code = parsed.find("code");
  if (code == parsed.end() || !code->is_string()) return std::nullopt;

  ErrorBody error;
  error.code = code->get<std::string>();
  error.message = text_of(parsed, "message");
  const auto detail = parsed.find("detail");
  if (detail == parsed.end()) return error;
  const auto dump_detail = [&] {
    remove_signatures(*detail);
    error.detail = detail->dump(-1, ' ', false, json::error_handler_t::replace);
    return error;
  };
  if (!detail->is_object()) return dump_detail();

  if (detail->contains("field")) {
    error.fault = Fault{text_of(*detail, "field"), text_of(*detail, "value"), text_of(*detail, "issue"),
                        text_of(*detail, "location")};
    const auto inner = detail->find("detail");
    if (error.fault->issue.empty() && inner != detail->end() && inner->is_object()) {
      error.fault->issue = text_of(*inner, "issue");
    }
  }
  const auto sign = detail->find("sign_information");
  if (sign != detail->end() && sign->is_object()) {
    const std::string message = text_of(*sign, "truncated_sign_message");
    const auto length = sign->find("sign_message_length");
    if (!message.empty()) {
      error.sign_information = SignInformation{
          message, length != sign->end() && length->is_number_unsigned() ? length->get<std::size_t>() : 0};
    }
  }
  return dump_detail();
}

}  // namespace wechatpay

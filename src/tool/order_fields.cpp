#include "order_fields.hpp"

#include <algorithm>

#include "csv_header.hpp"
#include "json_order.hpp"
#include "order_values.hpp"
#include "similar_names.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

std::string& text_field(BonusCommitRequest& request, std::string_view name) {
  if (name == "card_id") return request.card_id;
  if (name == "code") return request.code;
  if (name == "out_trade_no") return request.out_trade_no;
  if (name == "mchid") return request.mchid;
  return request.sub_mchid;
}

bool is_order_field(std::string_view name) {
  return std::find(order_fields.begin(), order_fields.end(), name) != order_fields.end();
}

std::string set_field(BonusCommitRequest& request, std::string_view name, const std::string& value) {
  if (is_blank(value)) return "";
  const std::string fault = fault_of_value(name, value);
  if (name == "bonus_value") {
    const auto points = parse_points(value);
    request.bonus_value = points.value_or(0);
    if (points) return "";
    const std::string wrong = "bonus_value must be a whole number, not " + shown_value(value);
    return fault.empty() ? wrong : wrong + ": it " + fault;
  }
  if (!fault.empty()) return std::string(name) + " " + fault;
  if (name != "merchant_mode") {
    text_field(request, name) = value;
    return "";
  }
  for (const MerchantMode mode : {MerchantMode::both, MerchantMode::direct, MerchantMode::partner}) {
    if (value != to_string(mode)) continue;
    request.merchant_mode = mode;
    return "";
  }
  return "merchant_mode must be both, direct or partner, not " + shown_value(value);
}

std::string faults_of_order(const BonusCommitRequest& request, const std::vector<std::string>& other_names) {
  std::string faults;
  for (const Fault& fault : request.check()) {
    const std::string field = fault.field.substr(fault.field.front() == '/' ? 1 : 0);
    faults += (faults.empty() ? "" : "; ") + field + " " + in_words_of_the_tool(fault.issue);
    if (!fault.value.empty()) faults += " (given: " + fault.value + ")";
    const std::string like = similar_name(field, other_names);
    if (!like.empty()) faults += " (is it " + shown_value(like) + "?)";
  }
  return faults;
}

std::string faults_of_order(const BonusCommitRequest& request, const JsonOrder& order) {
  if (order.values.empty() && !order.others.empty()) {
    return "has no member of an order, only: " + listed(order.others);
  }
  if (std::string faults = faults_of_order(request, order.others); !faults.empty()) return faults;
  std::vector<std::string> fields;
  for (const auto& [name, value] : order.values) {
    if (!is_blank(value)) fields.emplace_back(name);
  }
  return fault_of_near_name("member", fields, order.others);
}

}  // namespace wechatpay::bonus_commit::tool

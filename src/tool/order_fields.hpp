// Builds an order from named values, as files and messages contain them.
#ifndef WECHATPAY_SRC_TOOL_ORDER_FIELDS_HPP
#define WECHATPAY_SRC_TOOL_ORDER_FIELDS_HPP

#include <wechatpay/bonus_commit/request.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct JsonOrder;

/// The text field `name` of `request`. `name` must be one of order_fields other than bonus_value and merchant_mode.
std::string& text_field(BonusCommitRequest& request, std::string_view name);

/// Whether `name` is one of order_fields.
bool is_order_field(std::string_view name);

/// Sets the field `name`, one of order_fields, of `request`. Returns what is wrong with the value; empty if nothing is.
/// A blank value changes nothing.
std::string set_field(BonusCommitRequest& request, std::string_view name, const std::string& value);

/// The result of check() for the order, in the tool's words; empty if nothing is wrong. `other_names`: further names
/// given with the order, one of which may be a misspelled field.
std::string faults_of_order(const BonusCommitRequest& request, const std::vector<std::string>& other_names);

/// The same for an order whose fields were set from the members of `order`. Also reports another member whose name
/// nearly matches a missing field.
std::string faults_of_order(const BonusCommitRequest& request, const JsonOrder& order);

}  // namespace wechatpay::bonus_commit::tool

#endif

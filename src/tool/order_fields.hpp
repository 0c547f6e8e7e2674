// An order from named values, as files and messages give them.
#ifndef WECHATPAY_SRC_TOOL_ORDER_FIELDS_HPP
#define WECHATPAY_SRC_TOOL_ORDER_FIELDS_HPP

#include <wechatpay/bonus_commit/request.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct JsonOrder;

/// The text field `name` of `request`: one of order_fields that is neither bonus_value nor merchant_mode.
std::string& text_field(BonusCommitRequest& request, std::string_view name);

/// Whether `name` is one of order_fields.
bool is_order_field(std::string_view name);

/// Sets the field `name` of `request`. Returns what is wrong with the value; empty where nothing is. A blank value, and
/// a name that is none of order_fields, set nothing.
std::string set_field(BonusCommitRequest& request, std::string_view name, const std::string& value);

/// What check() says of the order, in the tool's words; empty where nothing is wrong. `other_names` were given with it,
/// and one of them may be a field's, misspelled.
std::string faults_of_order(const BonusCommitRequest& request, const std::vector<std::string>& other_names);

/// The same of an order whose fields were set from the members of `order`; and a name among its others that is nearly a
/// missing field's.
std::string faults_of_order(const BonusCommitRequest& request, const JsonOrder& order);

}  // namespace wechatpay::bonus_commit::tool

#endif

// One line of JSON Lines as an order.
#ifndef WECHATPAY_SRC_TOOL_JSON_ORDER_HPP
#define WECHATPAY_SRC_TOOL_JSON_ORDER_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct JsonOrder {
  std::string fault;                                             ///< empty, or why it is none
  std::vector<std::pair<std::string_view, std::string>> values;  ///< of order_fields that are there and not null
  std::vector<std::string> others;                               ///< the names of further members
  std::string error;                                             ///< of an earlier run
};

JsonOrder read_json_order(const std::string& line);

/// Why the first line of a file, which begins with { or [, begins no JSON Lines; empty where it does.
std::string fault_of_json_lines(const std::string& first_line);

/// The object of `line` as it stands, with `error` as its last member; where it cannot be read, the line as it is.
std::string json_with_error(const std::string& line, const std::string& error);

}  // namespace wechatpay::bonus_commit::tool

#endif

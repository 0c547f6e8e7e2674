// Parses one line of JSON Lines as an order.
#ifndef WECHATPAY_SRC_TOOL_JSON_ORDER_HPP
#define WECHATPAY_SRC_TOOL_JSON_ORDER_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct JsonOrder {
  std::string fault;                                             ///< empty, or why the line is not an order
  std::vector<std::pair<std::string_view, std::string>> values;  ///< the order_fields that are present and not null
  std::vector<std::string> others;                               ///< the names of further members
  std::string error;                                             ///< written by an earlier run
};

/// For the callbacks of parsers: whether a value is nested so little that to copy or write it does not exhaust the
/// stack.
inline bool is_shallow(int depth) { return depth <= 32; }

JsonOrder read_json_order(const std::string& line);

/// Why the first line of a file, which begins with { or [, is not JSON Lines; empty if it is.
std::string fault_of_json_lines(const std::string& first_line);

/// The object in `line`, otherwise unchanged, with `error` as its last member. A line that cannot be read is returned
/// unchanged.
std::string json_with_error(const std::string& line, const std::string& error);

}  // namespace wechatpay::bonus_commit::tool

#endif

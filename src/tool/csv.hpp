// Fields of CSV (RFC 4180).
#ifndef WECHATPAY_SRC_TOOL_CSV_HPP
#define WECHATPAY_SRC_TOOL_CSV_HPP

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wechatpay::bonus_commit::tool {

/// The fields of a line; nothing if its quotes are not closed or are in the wrong place.
inline std::optional<std::vector<std::string>> split_csv(std::string_view text, char delimiter) {
  std::vector<std::string> found;
  while (true) {
    std::string field;
    if (!text.empty() && text.front() == '"') {
      text.remove_prefix(1);
      while (true) {
        const std::size_t quote = text.find('"');
        if (quote == std::string_view::npos) return std::nullopt;
        field += text.substr(0, quote);
        text.remove_prefix(quote + 1);
        if (text.empty() || text.front() != '"') break;
        field += '"';
        text.remove_prefix(1);
      }
      if (!text.empty() && text.front() != delimiter) return std::nullopt;
    } else {
      field = text.substr(0, text.find(delimiter));
      if (field.find('"') != std::string::npos) return std::nullopt;
      text.remove_prefix(field.size());
    }
    found.push_back(std::move(field));
    if (text.empty()) return found;
    text.remove_prefix(1);
  }
}

/// `value` as a field.
inline std::string csv_field(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

}  // namespace wechatpay::bonus_commit::tool

#endif

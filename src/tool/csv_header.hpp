// The header of a CSV file of orders.
#ifndef WECHATPAY_SRC_TOOL_CSV_HEADER_HPP
#define WECHATPAY_SRC_TOOL_CSV_HEADER_HPP

#include <wechatpay/bonus_commit/request.hpp>
#include <wechatpay/bonus_commit/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct CsvHeader {
  std::string text;  ///< as it stands in the file
  char delimiter = ',';
  std::vector<std::string> columns;  ///< without blanks at their ends
  std::size_t error_at = 0;          ///< the column `error`; their number, where there is none

  /// Reads a header. The delimiter is `announced`, where that is not 0, else the one that fits best. Fails with all
  /// columns that are missing: not there, and not in `defaults`; and with one that is nearly named like a field.
  static Result<CsvHeader> read(std::string text, char announced, const BonusCommitRequest& defaults);
};

/// The delimiter of a spreadsheet's first line, `sep=;`; 0 where it is none.
char announced_delimiter(std::string_view line);

/// How many of an order's fields are among `columns`.
std::size_t fields_among(const std::vector<std::string>& columns);

/// Which of `others`, names of columns or members that nobody reads, is nearly one of the fields that are not among
/// `fields`, and would be lost silently to what stands for those; empty where none is. `kind` says what they are.
std::string fault_of_near_name(const char* kind, const std::vector<std::string>& fields,
                               const std::vector<std::string>& others);

/// The names of columns or members for a message.
std::string listed(const std::vector<std::string>& names);

}  // namespace wechatpay::bonus_commit::tool

#endif

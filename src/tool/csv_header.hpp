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
  std::string text;  ///< as in the file
  char delimiter = ',';
  std::vector<std::string> columns;  ///< without leading and trailing blanks
  std::size_t error_at = 0;          ///< the index of the column `error`; the number of columns if there is none

  /// Reads a header. The delimiter is `announced` if that is not 0, otherwise the one that fits best. Fails if columns
  /// are missing (neither in the header nor in `defaults`) and names all of them. Also fails if a column's name nearly
  /// matches a field.
  static Result<CsvHeader> read(std::string text, char announced, const BonusCommitRequest& defaults);
};

/// The delimiter from a spreadsheet's first line `sep=;`; 0 if the line, which is not blank, is not such a line.
char announced_delimiter(std::string_view line);

/// The number of an order's fields among `columns`.
std::size_t fields_among(const std::vector<std::string>& columns);

/// Reports a name in `others`, the columns or members that are not read, that nearly matches a field missing from
/// `fields`: its values would be silently replaced by defaults. Empty if there is none. `kind`: what the names are.
std::string fault_of_near_name(const char* kind, const std::vector<std::string>& fields,
                               const std::vector<std::string>& others);

/// The names of columns or members for a message.
std::string listed(const std::vector<std::string>& names);

}  // namespace wechatpay::bonus_commit::tool

#endif

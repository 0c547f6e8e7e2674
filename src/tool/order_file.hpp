// A file of orders, row by row: CSV with a header, or JSON Lines.
#ifndef WECHATPAY_SRC_TOOL_ORDER_FILE_HPP
#define WECHATPAY_SRC_TOOL_ORDER_FILE_HPP

#include <wechatpay/bonus_commit/request.hpp>
#include <wechatpay/bonus_commit/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csv_header.hpp"
#include "line_reader.hpp"
#include "order_values.hpp"

namespace wechatpay::bonus_commit::tool {

/// One order of a file, or why it is none.
struct OrderRow {
  std::uint64_t line = 0;  ///< of its first line, from 1
  std::string text;        ///< as it stands in the file, without the line's end
  BonusCommitRequest request;
  std::string fault;      ///< empty, or what is wrong with it
  std::string warning;    ///< empty, or what may be wrong with an order that can be sent
  bool in_doubt = false;  ///< its warning is its fault
};

/// Reads orders one after the other, in bounded memory, from a file or from standard input.
///
/// CSV has a header with the fields' names, in any order; other columns are passed over, whatever they hold, and
/// commas may be semicolons or tabs. JSON Lines has one object on each line. Fields that are absent, or empty, are
/// taken from `defaults`. Blank rows, rows of delimiters alone and a header that is there again are passed over. A row
/// that cannot be read is given with its fault, and reading goes on behind it; where quotes go wrong, behind its first
/// line, so that none of the following rows is swallowed. What spreadsheets, data frames and database dumps are known
/// to do to values is a fault, too. RFC 4180 lets the last line of CSV go without its end; here that is a fault, since
/// whoever writes or copies the file may be in the middle of a value. A row whose column or member `error` begins with
/// not_an_order is refused as long as it does, whatever else has become of it.
class OrderFile {
 public:
  /// Opens `name`, "-" for standard input, and reads the header. Fails with an error that names the file. While it
  /// waits for standard input, something to read on the descriptor `wake` ends the file; -1: nothing does.
  static Result<OrderFile> open(const std::string& name, BonusCommitRequest defaults, int wake = -1);
  /// The next row; nothing at the end, or where reading fails: see error().
  std::optional<OrderRow> next();

  /// What went wrong while the file was read, empty where nothing did.
  const std::string& error() const noexcept { return lines_.error(); }

  std::uint64_t bytes_read() const noexcept { return lines_.bytes_read(); }
  std::uint64_t bytes_in_all() const noexcept { return lines_.bytes_in_all(); }  ///< 0 where that is not known

  /// The header for a file of rows of this one, with a column `error`; empty for JSON Lines.
  std::string header_with_error() const;

  /// A row's text with `error` in that column or member, and all else as it stands. A row that cannot be read is none
  /// afterwards either.
  std::string with_error(const std::string& text, const std::string& error) const;

 private:
  OrderFile(LineReader lines, BonusCommitRequest defaults);

  Result<void> read_header();
  bool read_row(OrderRow& row, const LineReader::Line& line);
  bool read_csv_row(OrderRow& row);
  std::optional<std::vector<std::string>> csv_values(OrderRow& row);
  void read_json_row(OrderRow& row);
  void set_value(OrderRow& row, std::string_view name, const std::string& value);

  LineReader lines_;
  BonusCommitRequest defaults_;
  bool json_ = false;
  CsvHeader header_;
  std::uint64_t other_header_ = 0;  ///< the line of a header that is not this file's; 0: none
  RoundedNumbers rounded_;
};

}  // namespace wechatpay::bonus_commit::tool

#endif

// Reads a file of orders, row by row: CSV with a header, or JSON Lines.
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

/// One order of a file, or why the row is not an order.
struct OrderRow {
  std::uint64_t line = 0;  ///< the number of its first line, from 1
  std::string text;        ///< as in the file, without the line end
  BonusCommitRequest request;
  std::string fault;      ///< empty, or what is wrong with the row
  std::string warning;    ///< empty, or what may be wrong with an order that can be sent
  bool in_doubt = false;  ///< the fault is only its warning
};

/// Reads orders one after another with bounded memory, from a file or from standard input.
///
/// CSV has a header with the names of the fields, in any order. Other columns are ignored. The delimiter is a comma, a
/// semicolon or a tab. JSON Lines has one object on each line. Absent or empty fields are taken from `defaults`.
/// Ignored are blank rows, rows that contain only delimiters, and a repeated header. A row that cannot be read is
/// returned with its fault, and reading continues after it. If its quotes are wrong, reading continues after its first
/// line, so that no following row is lost. Known damage to values by spreadsheets, data frames and database dumps is
/// also a fault. RFC 4180 allows the last line of CSV to have no line end. Here this is a fault, because the file may
/// still be written or copied and its last value may be incomplete. A row whose column or member `error` begins with
/// not_an_order is refused until that text is removed, whatever else has changed in the row.
class OrderFile {
 public:
  /// Opens `name` and reads the header; "-" is standard input. Fails with an error that names the file. `wake`: a
  /// descriptor; while it waits for standard input, the file ends as soon as `wake` is readable. -1: none.
  static Result<OrderFile> open(const std::string& name, BonusCommitRequest defaults, int wake = -1);
  /// The next row. Nothing at the end, or if reading fails: see error().
  std::optional<OrderRow> next();

  /// What went wrong while the file was read; empty if nothing did.
  const std::string& error() const noexcept { return lines_.error(); }

  std::uint64_t bytes_read() const noexcept { return lines_.bytes_read(); }
  std::uint64_t bytes_in_all() const noexcept { return lines_.bytes_in_all(); }  ///< 0 if not known

  /// The header of a file with rows of this one, with an additional column `error`; empty for JSON Lines.
  std::string header_with_error() const;

  /// The text of a row with `error` in that column or member, otherwise unchanged. A row that cannot be read stays
  /// unreadable.
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
  std::uint64_t other_header_ = 0;  ///< the line of a header that differs from this file's header; 0: none
  RoundedNumbers rounded_;
};

}  // namespace wechatpay::bonus_commit::tool

#endif

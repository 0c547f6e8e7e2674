#include "order_file.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <deque>
#include <utility>

#include "csv.hpp"
#include "json_order.hpp"
#include "order_fields.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

constexpr std::size_t most_lines_of_a_row = 100;
constexpr const char* byte_order_mark = "\xEF\xBB\xBF";

/// The kind of a file that does not contain orders as text, by its first bytes; empty if it may contain orders.
std::string kind_of_other_file(std::string_view begin) {
  constexpr std::pair<std::string_view, const char*> kinds[] = {
      {"PK\x03\x04", "is a workbook or an archive: save it as CSV in UTF-8"},
      {"\xD0\xCF\x11\xE0", "is a workbook: save it as CSV in UTF-8"},
      {"\x1F\x8B", "is compressed: zcat FILE | wechatpay-bonus-commit ... -"},
      {"\x28\xB5\x2F\xFD", "is compressed: zstdcat FILE | wechatpay-bonus-commit ... -"},
      {"\xFD\x37\x7A\x58\x5A", "is compressed: xzcat FILE | wechatpay-bonus-commit ... -"},
      {"SQLite format 3", "is a database, such as a journal: give the file of orders"},
      {"<", "is HTML or XML: save it as CSV in UTF-8"},
      {"-----BEGIN", "is a key or a certificate: give the file of orders"}};
  for (const auto& [beginning, kind] : kinds) {
    if (starts_with(begin, beginning)) return kind;
  }
  if (begin.find('\0') != std::string::npos || starts_with(begin, "\xFF\xFE") || starts_with(begin, "\xFE\xFF")) {
    return "is UTF-16, or not a text file: save as UTF-8 (CSV UTF-8), or: iconv -f UTF-16 -t UTF-8";
  }
  return "";
}

/// What is wrong with the arguments that are used for fields missing in rows; empty if nothing is.
std::string fault_of_defaults(BonusCommitRequest defaults) {
  const std::pair<std::string_view, const char*> options[] = {
      {"card_id", "--card-id"}, {"mchid", "--mchid"}, {"sub_mchid", "--sub-mchid"}};
  for (const auto& [name, option] : options) {
    const std::string& value = text_field(defaults, name);
    if (value.empty()) continue;
    if (const std::string fault = fault_of_value(name, value); !fault.empty()) return option + (" " + fault);
  }
  return "";
}

/// Why a row with this `error` from an earlier run is still refused; empty if it is not.
std::string fault_of_earlier_run(std::string_view error) {
  constexpr std::string_view advice = "was rejected by an earlier run: correct the row, then clear its error field";
  error = without_blanks(error);
  if (!starts_with(error, not_an_order)) return "";
  error.remove_prefix(not_an_order.size());
  if (starts_with(error, advice)) return std::string(error);
  return std::string(advice) + " (" + std::string(error) + ")";
}

/// Whether a line contains only blanks, delimiters and quotes.
bool holds_nothing(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == ',' || c == ';' || c == '"'; }),
             text.end());
  return is_blank(text);
}

bool is_blank_row(const std::vector<std::string>& values) {
  return std::all_of(values.begin(), values.end(), [](const std::string& value) { return is_blank(value); });
}

}  // namespace

Result<OrderFile> OrderFile::open(const std::string& name, BonusCommitRequest defaults, int wake) {
  if (const std::string fault = fault_of_defaults(defaults); !fault.empty()) return configuration_error(fault);
  auto lines = LineReader::open(name, wake);
  if (!lines) return std::move(lines).error();
  OrderFile file(*std::move(lines), std::move(defaults));
  if (auto read = file.read_header(); !read) return std::move(read).error();
  return file;
}

OrderFile::OrderFile(LineReader lines, BonusCommitRequest defaults)
    : lines_(std::move(lines)), defaults_(std::move(defaults)) {}

Result<void> OrderFile::read_header() {
  const auto wrong = [this](const std::string& why) { return configuration_error(lines_.name() + ": " + why); };
  auto line = lines_.next();
  if (line) {
    if (const std::string kind = kind_of_other_file(line->text); !kind.empty()) return wrong(kind);
  }
  char announced = 0;
  for (; line; line = lines_.next()) {
    while (starts_with(line->text, byte_order_mark)) line->text.erase(0, 3);
    if (holds_nothing(line->text)) continue;
    if (announced != 0) break;
    announced = announced_delimiter(line->text);
    if (announced == 0) break;
  }
  if (!error().empty()) return configuration_error(error());
  if (!line && announced != 0) return wrong("has no header");
  if (!line) return wrong("is empty: it needs a header, or a JSON object on each line");
  const char first = without_blanks(line->text).front();
  if (first == '{' || first == '[') {
    if (const std::string fault = fault_of_json_lines(line->text); !fault.empty()) return wrong(fault);
    json_ = true;
    lines_.put_back({*std::move(line)});
    return {};
  }
  auto header = CsvHeader::read(std::move(line->text), announced, defaults_);
  if (!header) return wrong(header.error().message);
  header_ = *std::move(header);
  return {};
}

std::optional<OrderRow> OrderFile::next() {
  while (auto line = lines_.next()) {
    if (is_blank(line->text)) continue;
    OrderRow row;
    row.line = line->number;
    row.text = std::move(line->text);
    row.request = defaults_;
    const bool is_row = read_row(row, *line);
    if (lines_.woken()) break;  // possibly in the middle of a row
    if (is_row) return row;
  }
  return std::nullopt;
}

/// False for a row that is ignored.
bool OrderFile::read_row(OrderRow& row, const LineReader::Line& line) {
  if (line.too_long) {
    row.fault = "the line is longer than 64 KiB; its end is omitted here";
  } else if (row.text.find('\0') != std::string::npos) {
    row.fault = "holds NUL bytes: the file is damaged, or partly UTF-16";
  } else if (!line.ended && !json_) {
    const auto values = split_csv(row.text, header_.delimiter);
    if (values && values->size() == header_.columns.size() && is_blank_row(*values)) return false;
    row.fault = "the last line does not end with a newline: if " + lines_.name() +
                " is complete, add one; if it was cut off, the last value may be incomplete";
  } else if (json_) {
    read_json_row(row);
  } else {
    return read_csv_row(row);
  }
  return true;
}

bool OrderFile::read_csv_row(OrderRow& row) {
  const auto values = csv_values(row);
  if (!values) return true;
  if (is_blank_row(*values)) return false;
  std::vector<std::string> names;
  for (const std::string& value : *values) names.emplace_back(without_blanks(value));
  if (names == header_.columns) {
    other_header_ = 0;
    return false;
  }
  if (fields_among(names) >= 3) {
    other_header_ = row.line;
    row.fault = "is another header: put its rows into a separate file";
  } else if (other_header_ != 0) {
    row.fault = "is below the other header on line " + std::to_string(other_header_);
  } else if (values->size() != header_.columns.size()) {
    row.fault =
        "has " + std::to_string(values->size()) + " fields, the header " + std::to_string(header_.columns.size());
  }
  if (!row.fault.empty()) return true;
  for (std::size_t i = 0; i < values->size(); ++i) set_value(row, header_.columns[i], (*values)[i]);
  if (row.fault.empty()) row.fault = faults_of_order(row.request, std::vector<std::string>());
  if (row.fault.empty() && header_.error_at < values->size()) {
    row.fault = fault_of_earlier_run((*values)[header_.error_at]);
  }
  return true;
}

/// The fields of a row, which may continue on further lines. If the quotes are wrong: nothing, and the row's fault is
/// set.
std::optional<std::vector<std::string>> OrderFile::csv_values(OrderRow& row) {
  const std::size_t end_of_first_line = row.text.size();
  auto values = split_csv(row.text, header_.delimiter);
  std::deque<LineReader::Line> further;
  const auto open_quote = [&row] { return std::count(row.text.begin(), row.text.end(), '"') % 2 != 0; };
  while (!values && open_quote() && further.size() < most_lines_of_a_row &&
         row.text.size() < LineReader::longest_line) {
    auto line = lines_.next();
    if (!line) break;
    row.text += "\n" + line->text;
    further.push_back(*std::move(line));
    values = split_csv(row.text, header_.delimiter);
  }
  if (values) return values;
  row.text.resize(end_of_first_line);
  const bool formula = row.text.find("=\"") != std::string::npos;
  row.fault = formula ? "has a spreadsheet formula, =\"...\": export only the value"
                      : "quotes are not closed, or are in the middle of a field";
  lines_.put_back(std::move(further));
  return std::nullopt;
}

void OrderFile::read_json_row(OrderRow& row) {
  const JsonOrder order = read_json_order(row.text);
  row.fault = order.fault;
  if (!row.fault.empty()) return;
  for (const auto& [name, value] : order.values) set_value(row, name, value);
  if (row.fault.empty()) row.fault = faults_of_order(row.request, order);
  if (row.fault.empty()) row.fault = fault_of_earlier_run(order.error);
}

/// Sets the field `name` of the row's order, or adds to the row's fault what is wrong with the value.
void OrderFile::set_value(OrderRow& row, std::string_view name, const std::string& value) {
  if (is_blank(value) || !is_order_field(name)) return;
  const std::string fault = set_field(row.request, name, value);
  if (!fault.empty()) {
    row.fault += (row.fault.empty() ? "" : "; ") + fault;
  } else if (name != "bonus_value" && name != "merchant_mode" && rounded_.suspects(name, value)) {
    row.warning = std::string(name) + " may have been rounded to 15 digits by a spreadsheet: " + value;
  }
}

std::string OrderFile::header_with_error() const {
  if (json_) return "";
  if (header_.error_at < header_.columns.size()) return header_.text;
  return header_.text + header_.delimiter + "error";
}

std::string OrderFile::with_error(const std::string& text, const std::string& error) const {
  if (json_) return json_with_error(text, error);
  const auto values = split_csv(text, header_.delimiter);
  if (!values || header_.error_at == header_.columns.size()) return text + header_.delimiter + csv_field(error);
  if (values->size() != header_.columns.size()) return text;
  std::string row;
  for (std::size_t i = 0; i < values->size(); ++i) {
    if (i != 0) row += header_.delimiter;
    row += csv_field(i == header_.error_at ? error : (*values)[i]);
  }
  return row;
}

}  // namespace wechatpay::bonus_commit::tool

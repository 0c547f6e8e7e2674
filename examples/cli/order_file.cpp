#include "order_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include <wechatpay/bonus_commit/text.hpp>

#include "wording.hpp"

using namespace wechatpay;

namespace {

constexpr std::size_t longest_line = 64 * 1024;
constexpr std::size_t most_lines_of_a_row = 100;
constexpr const char* blanks = " \t";
constexpr std::string_view fields[] = {"card_id",   "code",        "out_trade_no", "mchid",
                                       "sub_mchid", "bonus_value", "merchant_mode"};
constexpr const char* error_column = "error";

/// Sets the field `name` of a request; says what is wrong with the value where it is none.
std::string set_field(BonusCommitRequest& request, std::string_view name, std::string value) {
  if (value.empty()) return "";
  if (name == "card_id") request.card_id = std::move(value);
  if (name == "code") request.code = std::move(value);
  if (name == "out_trade_no") request.out_trade_no = std::move(value);
  if (name == "mchid") request.mchid = std::move(value);
  if (name == "sub_mchid") request.sub_mchid = std::move(value);
  if (name == "bonus_value") {
    const auto points = parse_points(value);
    if (!points) return "bonus_value must be a whole number, not " + printable(value, 40);
    request.bonus_value = *points;
  }
  if (name == "merchant_mode") {
    for (const MerchantMode mode : {MerchantMode::both, MerchantMode::direct, MerchantMode::partner}) {
      if (value != to_string(mode)) continue;
      request.merchant_mode = mode;
      return "";
    }
    return "merchant_mode must be both, direct or partner, not " + printable(value, 40);
  }
  return "";
}

/// Whether a spreadsheet has made a number of `text` and lost its digits: 1.21775E+27.
bool lost_its_digits(std::string_view text) {
  const std::size_t exponent = text.find_first_of("eE");
  return exponent != std::string_view::npos && exponent > 0 && exponent + 1 < text.size() &&
         text[exponent + 1] == '+' && text.find_first_not_of("0123456789.") == exponent &&
         text.find_first_not_of("0123456789", exponent + 2) == std::string_view::npos;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + printable(word, 40);
  return printable(all, 300);
}

bool is_blank(std::string_view text) { return text.find_first_not_of(blanks) == std::string_view::npos; }

std::string trimmed(const std::string& text) {
  if (is_blank(text)) return "";
  const std::size_t begin = text.find_first_not_of(blanks);
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

}  // namespace

std::optional<std::int64_t> parse_points(std::string_view text) {
  std::int64_t points = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, points);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return points;
}

std::optional<std::vector<std::string>> split_csv(std::string_view text, char delimiter) {
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

std::string csv_field(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

Result<OrderFile> OrderFile::open(const std::string& name, BonusCommitRequest defaults, int wake) {
  const bool standard_input = name == "-";
  const int descriptor = standard_input ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return configuration_error(name + ": cannot be opened: " + std::strerror(errno));
  OrderFile file(standard_input ? "standard input" : name, descriptor, std::move(defaults), wake);
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    file.bytes_in_all_ = static_cast<std::uint64_t>(status.st_size);
  }
  if (auto error = file.read_header()) return *std::move(error);
  return file;
}

OrderFile::OrderFile(std::string name, int descriptor, BonusCommitRequest defaults, int wake)
    : name_(std::move(name)), descriptor_(descriptor), wake_(wake), defaults_(std::move(defaults)) {}

OrderFile::Descriptor::~Descriptor() {
  if (number_ > STDIN_FILENO) ::close(number_);
}

std::optional<Error> OrderFile::read_header() {
  const auto wrong = [this](const std::string& why) { return configuration_error(name_ + ": " + why); };
  auto line = next_line();
  if (line && line->text.compare(0, 3, "\xEF\xBB\xBF") == 0) line->text.erase(0, 3);
  while (line && is_blank(line->text)) line = next_line();
  if (!error_.empty()) return configuration_error(error_);
  if (!line) return wrong("is empty: a header, or an object of JSON on each line, belongs here");
  std::string& text = line->text;
  if (text.compare(0, 4, "PK\x03\x04") == 0) return wrong("is a workbook or an archive: save it as CSV in UTF-8");
  if (text.compare(0, 2, "\x1F\x8B") == 0) return wrong("is compressed: zcat FILE | wechatpay-bonus-commit ... -");
  if (text.find('\0') != std::string::npos || text.compare(0, 2, "\xFF\xFE") == 0) {
    return wrong("is not UTF-8 (UTF-16, or no text at all): save it as CSV in UTF-8");
  }
  text.erase(0, text.find_first_not_of(blanks));
  if (text.front() == '[')
    return wrong("is an array of JSON; one object on each line is wanted: jq -c '.[]' makes it so");
  if (text.front() == '{') {
    json_ = true;
    put_back_.push_front(*std::move(line));
    return std::nullopt;
  }
  for (const char candidate : {',', ';', '\t'}) {
    if (text.find(candidate) == std::string::npos) continue;
    delimiter_ = candidate;
    break;
  }
  const auto columns = split_csv(text, delimiter_);
  if (!columns) return wrong("the quotes of its header are not in order");
  columns_ = *columns;
  for (std::string& column : columns_) column = trimmed(column);
  const std::string has = "; its header has: " + joined(columns_);
  for (const std::string& column : columns_) {
    if (std::count(columns_.begin(), columns_.end(), column) > 1 && !column.empty()) {
      return wrong("the column " + printable(column, 40) + " is there twice" + has);
    }
  }
  const auto missing = [&](const char* name) {
    return std::find(columns_.begin(), columns_.end(), name) == columns_.end();
  };
  for (const char* name : {"code", "out_trade_no", "bonus_value"}) {
    if (missing(name)) return wrong("there is no column " + std::string(name) + has);
  }
  if (missing("card_id") && defaults_.card_id.empty()) {
    return wrong("there is no column card_id, and no --card-id for all rows" + has);
  }
  const auto needs_id = [&](const char* name, const std::string& value, MerchantMode without) {
    return missing("merchant_mode") && missing(name) && value.empty() && defaults_.merchant_mode != without;
  };
  if (needs_id("mchid", defaults_.mchid, MerchantMode::partner)) {
    return wrong("there is no column mchid; give --mchid for all rows, or --merchant-mode partner for sub_mchid alone" +
                 has);
  }
  if (needs_id("sub_mchid", defaults_.sub_mchid, MerchantMode::direct)) {
    return wrong(
        "there is no column sub_mchid; give --sub-mchid for all rows, or --merchant-mode direct for mchid alone" + has);
  }
  error_at_ = static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), error_column) - columns_.begin());
  header_ = std::move(text);
  return std::nullopt;
}

std::optional<OrderRow> OrderFile::next() {
  auto line = next_line();
  while (line && is_blank(line->text)) line = next_line();
  if (!line) return std::nullopt;
  OrderRow row;
  row.line = line->number;
  row.text = std::move(line->text);
  row.request = defaults_;
  if (line->too_long) {
    row.fault = "the line is longer than 64 KiB; its end is left out here";
  } else if (!line->ended && !json_) {
    row.fault = "the last line does not end with a newline: if " + name_ +
                " is complete, add one; if it was cut off, so may a value be";
  } else if (json_) {
    read_json_row(row);
  } else {
    read_csv_row(row);
  }
  if (woken_) return std::nullopt;  // perhaps in the middle of a row
  if (row.fault.empty()) check_row(row);
  return row;
}

void OrderFile::read_csv_row(OrderRow& row) {
  const std::size_t end_of_first_line = row.text.size();
  auto values = split_csv(row.text, delimiter_);
  std::deque<Line> further;
  const auto open_quote = [&row] { return std::count(row.text.begin(), row.text.end(), '"') % 2 != 0; };
  while (!values && open_quote() && further.size() < most_lines_of_a_row && row.text.size() < longest_line) {
    auto line = next_line();
    if (!line) break;
    row.text += "\n" + line->text;
    further.push_back(*std::move(line));
    values = split_csv(row.text, delimiter_);
  }
  if (!values) {
    row.fault = "quotes are not closed, or stand in the middle of a field";
  } else if (values->size() != columns_.size()) {
    row.fault = "has " + std::to_string(values->size()) + " fields, the header " + std::to_string(columns_.size());
  }
  if (!row.fault.empty()) {
    row.text.resize(end_of_first_line);
    put_back_.insert(put_back_.begin(), std::make_move_iterator(further.begin()),
                     std::make_move_iterator(further.end()));
    return;
  }
  for (std::size_t i = 0; i < columns_.size() && row.fault.empty(); ++i) {
    row.fault = set_field(row.request, columns_[i], std::move((*values)[i]));
  }
}

void OrderFile::read_json_row(OrderRow& row) {
  const auto object = nlohmann::json::parse(row.text, nullptr, false);
  if (!object.is_object()) {
    row.fault = "is not an object of JSON";
    return;
  }
  for (const std::string_view name : fields) {
    const auto member = object.find(std::string(name));
    if (member == object.end() || member->is_null()) continue;
    if (name == "bonus_value" && member->is_number_integer()) {
      row.fault = set_field(row.request, name, member->dump());
    } else if (name == "bonus_value") {
      row.fault = "bonus_value must be a whole number, not " + printable(member->dump(-1, ' ', true), 40);
    } else if (member->is_string()) {
      row.fault = set_field(row.request, name, member->get<std::string>());
    } else {
      row.fault = std::string(name) + " must be a string, since numbers lose digits";
    }
    if (!row.fault.empty()) return;
  }
}

void OrderFile::check_row(OrderRow& row) {
  for (const Fault& fault : check(row.request)) {
    const std::string field = fault.field.substr(fault.field.front() == '/' ? 1 : 0);
    row.fault += (row.fault.empty() ? "" : "; ") + field + " " + in_words_of_the_tool(fault.issue);
    if (!fault.value.empty()) row.fault += " (given: " + fault.value + ")";
  }
  const std::pair<const char*, const std::string&> ids[] = {{"card_id", row.request.card_id},
                                                            {"code", row.request.code},
                                                            {"out_trade_no", row.request.out_trade_no},
                                                            {"mchid", row.request.mchid},
                                                            {"sub_mchid", row.request.sub_mchid}};
  for (const auto& [name, value] : ids) {
    if (!row.fault.empty()) return;
    if (trimmed(value) != value) row.fault = std::string(name) + " has blanks at its ends: \"" + value + "\"";
    if (!lost_its_digits(value)) continue;
    row.fault = std::string(name) + " has lost digits in a spreadsheet: " + value + "; export the column as text";
  }
}

std::optional<OrderFile::Line> OrderFile::next_line() {
  if (put_back_.empty()) return read_line();
  Line line = std::move(put_back_.front());
  put_back_.pop_front();
  return line;
}

std::optional<OrderFile::Line> OrderFile::read_line() {
  Line line{"", lines_ + 1, false, false};
  bool any = false;
  while (at_ < buffer_.size() || fill()) {
    any = true;
    const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
    const std::size_t room = longest_line - line.text.size();
    line.too_long = line.too_long || end - at_ > room;
    line.text.append(buffer_, at_, std::min(end - at_, room));
    line.ended = end < buffer_.size();
    bytes_read_ += end - at_ + (line.ended ? 1 : 0);
    at_ = end + (line.ended ? 1 : 0);
    if (line.ended) break;
  }
  if (!any || woken_ || !error_.empty()) return std::nullopt;
  ++lines_;
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  return line;
}

/// More bytes into the empty buffer; false at the end.
bool OrderFile::fill() {
  pollfd descriptors[] = {{descriptor_.number(), POLLIN, 0}, {wake_, POLLIN, 0}};
  ssize_t count = -1;
  do {
    if (::poll(descriptors, 2, -1) < 0) continue;
    woken_ = (descriptors[1].revents & POLLIN) != 0;
    if (woken_) return false;
    buffer_.resize(longest_line);
    count = ::read(descriptor_.number(), buffer_.data(), buffer_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) error_ = name_ + ": cannot be read: " + std::strerror(errno);
  buffer_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  at_ = 0;
  return count > 0;
}

std::string OrderFile::header_with_error() const {
  if (json_) return "";
  return error_at_ < columns_.size() ? header_ : header_ + delimiter_ + error_column;
}

std::string OrderFile::with_error(const std::string& text, const std::string& error) const {
  if (json_) {
    auto object = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!object.is_object()) return text;
    object[error_column] = error;
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }
  const auto values = split_csv(text, delimiter_);
  if (!values || values->size() != columns_.size()) return text;
  if (error_at_ == columns_.size()) return text + delimiter_ + csv_field(error);
  std::string row;
  for (std::size_t i = 0; i < values->size(); ++i) {
    if (i != 0) row += delimiter_;
    row += csv_field(i == error_at_ ? error : (*values)[i]);
  }
  return row;
}

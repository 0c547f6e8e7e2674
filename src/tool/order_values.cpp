#include "order_values.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

constexpr std::size_t longest_shown = 64;

/// Whether the character is a blank or invisible.
bool is_unseen(const CodePoint& point) {
  const char32_t c = point.value;
  const bool blank = (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85;
  return point.valid && (blank || is_invisible(c));
}

/// Calls `take(code point, its bytes)` for each code point of `text`.
template <typename Take>
void for_each_code_point(std::string_view text, Take take) {
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    take(next, text.substr(0, next.bytes));
    text.remove_prefix(next.bytes);
  }
}

bool is_full_width(char32_t c) { return c >= 0xFF01 && c <= 0xFF5E; }

/// `value` as a number in ASCII: without blanks, and with ASCII digits, signs and separators.
std::string in_ascii(std::string_view value) {
  constexpr std::pair<std::string_view, std::string_view> spellings[] = {
      {"\u2212", "-"},  {"\u2013", "-"},  {"\u00D7", "x^"}, {"\u00B7", "x^"}, {"\u22C5", "x^"}, {"\u2715", "x^"},
      {"\u066B", "."},  {"\u066C", ","},  {"\u2019", "'"},  {"\u02D9", "'"},  {"\u23E8", "e"},  {"\u2070", "^0"},
      {"\u00B9", "^1"}, {"\u00B2", "^2"}, {"\u00B3", "^3"}, {"\u2074", "^4"}, {"\u2075", "^5"}, {"\u2076", "^6"},
      {"\u2077", "^7"}, {"\u2078", "^8"}, {"\u2079", "^9"}, {"\u207A", "+"}};
  std::string ascii;
  for_each_code_point(value, [&](const CodePoint& point, std::string_view bytes) {
    if (is_unseen(point)) return;
    if (is_full_width(point.value)) {
      ascii += static_cast<char>(point.value - 0xFF01 + '!');
      return;
    }
    const auto* const spelling = std::find_if(std::begin(spellings), std::end(spellings),
                                              [bytes](const auto& each) { return each.first == bytes; });
    ascii += spelling == std::end(spellings) ? bytes : spelling->second;
  });
  return ascii;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// A quote, or a mark that spreadsheets, scripts and WeChat Pay's bill put before a number to keep it as text. Empty if
/// there is none.
std::string_view mark_at(std::string_view value) {
  for (const std::string_view mark :
       {"\\'",    "\\\"",   "&apos;", "&#39;",  "&#039;", "&#x27;", "&quot;", "&#34;",  "\u02B9", "\u02BC", "\u2032",
        "\u02CB", "\u2035", "'",      "`",      "\"",     "=",      "\u00B4", "\u2018", "\u2019", "\u201B", "\u201C",
        "\u201D", "\u201E", "\u00AB", "\u2039", "\u300C", "\uFF07", "\uFF40", "\uFF02", "\uFF1D"}) {
    if (starts_with(value, mark)) return mark;
  }
  for (const std::string_view mark : {"\\'", "\\\"", "&apos;", "&#39;", "&#039;", "&#x27;", "&quot;", "&#34;", "'", "`",
                                      "\"", "\u02B9", "\u02BC", "\u2032", "\u2019", "\u201D", "\uFF07"}) {
    if (value.size() > mark.size() && value.substr(value.size() - mark.size()) == mark) return mark;
  }
  return "";
}

/// Whether it is #N/A, #REF!, #NV, ##### or Err:502, in any language.
bool is_spreadsheet_error(std::string_view value) {
  const std::string ascii = lower_case(in_ascii(value));
  if (ascii.front() == '#') return true;
  for (const std::string_view word : {"err:", "error:", "fehler:", "erreur:", "\u9519\u8BEF:", "\u932F\u8AA4:"}) {
    if (starts_with(ascii, word)) return consists_of(std::string_view(ascii).substr(word.size()), decimal_digits);
  }
  return false;
}

/// Whether it is what databases, data frames and scripts write for a missing value.
bool is_null(std::string_view value) {
  constexpr std::string_view words[] = {"null",
                                        "none",
                                        "nil",
                                        "nan",
                                        "na",
                                        "nat",
                                        "undef",
                                        "undefined",
                                        "dbnull",
                                        "empty",
                                        "blank",
                                        "missing",
                                        "void",
                                        "inf",
                                        "infinity",
                                        "nothing",
                                        "unknown",
                                        "nullptr",
                                        "novalue",
                                        "notavailable",
                                        "notapplicable",
                                        "systemdbnull",
                                        "systemdbnullvalue",
                                        "dbnullvalue",
                                        "pdna",
                                        "pdnat",
                                        "npnan",
                                        "npnat",
                                        "mathnan",
                                        "floatnan",
                                        "nanind",
                                        "nansnan",
                                        "nanqnan",
                                        "objectobject",
                                        "\u2014",
                                        "\u2014\u2014",
                                        "\u7A7A",
                                        "\u65E0",
                                        "\u7A7A\u503C",
                                        "\u7F3A\u5931",
                                        "\u4E0D\u9002\u7528"};
  const std::size_t backslashes = std::min(value.find_first_not_of('\\'), value.size());
  const std::string_view behind = value.substr(backslashes);
  if (backslashes > 0 && (behind == "N" || behind == "n" || behind == "0")) return true;
  const std::string ascii = lower_case(in_ascii(value));
  for (const std::string_view characters : {"-", "?", ".", "/", "_", "~", "<>()[]{}"}) {
    if (consists_of(ascii, characters)) return true;
  }
  for (const std::string_view beginning : {"1.#", "-1.#", "+1.#", "%!"}) {
    if (starts_with(ascii, beginning)) return true;
  }
  std::string word;
  for (const char c : ascii) {
    if (std::string_view("<>()[]{}/._-+\\'").find(c) == std::string_view::npos) word += c;
  }
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

/// The form of a value that is a number for a spreadsheet but not only digits.
enum class NumberForm { none, scientific, fraction, grouped, date, sign };

bool is_exponent(std::string_view rest, std::string_view mantissa) {
  const bool separated = mantissa.find_first_of(".,") != std::string_view::npos;
  const bool ten_behind_blank = separated && rest.front() == '^' &&
                                mantissa.substr(mantissa.size() - std::min<std::size_t>(mantissa.size(), 2)) == "10";
  const bool times_ten = rest.front() == 'x' || rest.front() == 'X' || rest.front() == '*';
  bool marked = separated;
  if (times_ten) {
    rest.remove_prefix(1);
    marked = starts_with(rest, "^");
    if (marked) rest.remove_prefix(1);
    if (!starts_with(rest, "10")) return false;
    rest.remove_prefix(2);
  } else if (ten_behind_blank || std::string_view("eEdD").find(rest.front()) != std::string_view::npos) {
    rest.remove_prefix(1);
  } else {
    return false;
  }
  std::string exponent;
  for (const char c : rest) {
    if (std::string_view("^*{}()+-").find(c) == std::string_view::npos) {
      exponent += c;
    } else {
      marked = true;
    }
  }
  if (!consists_of(exponent, decimal_digits)) return false;
  // 1e27 and 12e26 may also be order numbers. Spreadsheets write up to three digits there, and an order number of 32
  // characters has no more digits than 1e31.
  const std::size_t size = exponent.size() == 2 ? mantissa.size() + static_cast<std::size_t>(std::stoi(exponent)) : 0;
  const bool plain = mantissa.size() <= 3 && size >= 16 && size <= 32;
  return marked || (plain && !times_ten);
}

/// Whether blanks separate groups of three digits. The value neither begins nor ends with a blank, and is not only
/// digits.
bool is_grouped_by_blanks(std::string_view value) {
  std::size_t group = 0;
  std::size_t groups = 0;
  bool all = true;
  for_each_code_point(value, [&](const CodePoint& point, std::string_view bytes) {
    if (is_unseen(point)) {
      all = all && (groups == 0 ? group <= 3 : group == 3);
      group = 0;
      ++groups;
    } else if (consists_of(bytes, decimal_digits)) {
      ++group;
    } else {
      all = false;
    }
  });
  return all && group == 3;
}

NumberForm number_form(std::string_view value) {
  const std::string ascii = in_ascii(value);
  std::string_view text = ascii;
  const bool sign = text.front() == '+' || text.front() == '-';
  const bool plus = text.front() == '+';
  if (sign) text.remove_prefix(1);
  const std::size_t unbracketed = text.size();
  text.remove_prefix(std::min(text.find_first_not_of("([{<"), text.size()));
  const bool bracketed = text.size() < unbracketed;
  if (bracketed) text = text.substr(0, text.find_last_not_of(")]}>") + 1);
  const std::size_t end = std::min(text.find_first_not_of("0123456789.,'"), text.size());
  const std::string_view mantissa = text.substr(0, end);
  const std::string_view rest = text.substr(end);
  if (mantissa.find_first_of(decimal_digits) == std::string_view::npos) return NumberForm::none;
  if (!rest.empty()) {
    if (is_exponent(rest, mantissa)) return NumberForm::scientific;
    if (bracketed) return NumberForm::none;
    if (consists_of(text, "0123456789/:") && decimal_digits.find(text.back()) != std::string_view::npos) {
      return NumberForm::date;
    }
    return NumberForm::none;
  }
  if (bracketed) return NumberForm::none;
  const auto separators = std::count_if(mantissa.begin(), mantissa.end(),
                                        [](char c) { return decimal_digits.find(c) == std::string_view::npos; });
  if (separators > 1 || mantissa.find('\'') != std::string_view::npos) return NumberForm::grouped;
  if (separators == 1) return NumberForm::fraction;
  if (is_grouped_by_blanks(value)) return NumberForm::grouped;
  return plus ? NumberForm::sign : NumberForm::none;
}

/// A fault in the characters of a value that is not only digits; empty if there is none.
std::string fault_of_characters(std::string_view field, std::string_view value) {
  bool unseen_inside = false;
  bool full_width = false;
  bool full_width_digits = false;
  for_each_code_point(value, [&](const CodePoint& point, std::string_view) {
    unseen_inside = unseen_inside || (is_unseen(point) && point.value != ' ');
    full_width = full_width || is_full_width(point.value);
    full_width_digits = full_width_digits || (point.value >= 0xFF10 && point.value <= 0xFF19);
  });
  const std::string shown = shown_value(value);
  if (unseen_inside) return "has invisible characters: \"" + shown + "\"";
  if (full_width_digits) return "has full-width digits: " + shown + "; write 0 to 9";
  if (full_width) return "has full-width characters: " + shown + "; write them in ASCII";
  if (field == "mchid" || field == "sub_mchid") return "must be digits, 0 to 9, not " + shown;
  return "";
}

}  // namespace

bool is_utf8(std::string_view text) {
  bool valid = true;
  for_each_code_point(text, [&valid](const CodePoint& point, std::string_view) { valid = valid && point.valid; });
  return valid;
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    if (!is_unseen(next)) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string_view without_blanks(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = text.size();
  std::size_t at = 0;
  for_each_code_point(text, [&](const CodePoint& point, std::string_view bytes) {
    if (!is_unseen(point)) {
      begin = std::min(begin, at);
      end = at + bytes.size();
    }
    at += bytes.size();
  });
  return text.substr(begin, end - begin);
}

std::string shown_value(std::string_view value) {
  std::string shown;
  for_each_code_point(value, [&shown](const CodePoint& point, std::string_view bytes) {
    if (!is_unseen(point) || point.value == ' ') {
      shown += bytes;
      return;
    }
    for (const char c : bytes) {
      shown += "\\x";
      append_hex(shown, static_cast<unsigned char>(c), 2);
    }
  });
  return printable(shown, longest_shown);
}

std::optional<std::int64_t> parse_points(std::string_view text) {
  std::int64_t points = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, points);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return points;
}

std::string fault_of_value(std::string_view field, std::string_view value) {
  if (consists_of(value, decimal_digits)) return "";
  const std::string shown = shown_value(value);
  if (!is_utf8(value)) return "is not UTF-8: " + shown + "; " + utf8_advice;
  if (without_blanks(value) != value) return "begins or ends with blanks: \"" + shown + "\"";
  if (is_null(value)) return "is " + shown + ", which means no value; leave it empty, or give the value";
  if (is_spreadsheet_error(value)) return "is a spreadsheet error: " + shown;
  if (const std::string_view mark = mark_at(value); !mark.empty()) {
    if (mark == "=" || mark == "\uFF1D") {
      return "is a spreadsheet formula, beginning with =: " + shown + "; export only the value";
    }
    return "has a mark " + std::string(mark) + " before or after it, as spreadsheets and bills add: " + shown +
           "; remove it";
  }
  switch (number_form(value)) {
    case NumberForm::scientific: return "has lost digits in a spreadsheet: " + shown + "; export the column as text";
    case NumberForm::fraction: return "has a decimal point or comma: " + shown + "; export the column as text";
    case NumberForm::grouped: return "has separators between its digits: " + shown + "; export the column as text";
    case NumberForm::date: return "has become a date or a time: " + shown + "; export the column as text";
    case NumberForm::sign: return "has a sign: " + shown + "; export the column as text";
    case NumberForm::none: break;
  }
  return fault_of_characters(field, value);
}

bool RoundedNumbers::suspects(std::string_view field, std::string_view value) {
  constexpr std::size_t digits_of_a_spreadsheet = 15;
  if (value.size() <= digits_of_a_spreadsheet || value.front() == '0' || !consists_of(value, decimal_digits)) {
    return false;
  }
  const auto* const at = std::find(order_fields.begin(), order_fields.end(), field);
  bool& kept_digits = kept_digits_[static_cast<std::size_t>(at - order_fields.begin())];
  const std::string_view end = value.substr(digits_of_a_spreadsheet);
  if (!consists_of(end, "0")) {
    kept_digits = true;
    return false;
  }
  return end.size() > 3 || !kept_digits;
}

}  // namespace wechatpay::bonus_commit::tool

// Detects what spreadsheets, data frames and database dumps do to the values of an order.
#ifndef WECHATPAY_SRC_TOOL_ORDER_VALUES_HPP
#define WECHATPAY_SRC_TOOL_ORDER_VALUES_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// The fields of an order, by the names of columns and members.
inline constexpr std::array<std::string_view, 7> order_fields = {"card_id",   "code",        "out_trade_no", "mchid",
                                                                 "sub_mchid", "bonus_value", "merchant_mode"};

/// The error of an invalid row begins with this text in the file of failures.
inline constexpr std::string_view not_an_order = "not an order: ";

/// What to do about a file with another encoding.
inline constexpr const char* utf8_advice = "save as UTF-8 (CSV UTF-8), or: iconv -f GB18030 -t UTF-8";

bool is_utf8(std::string_view text);

/// Whether `text` is empty or contains only blanks: ASCII blanks or invisible Unicode characters.
bool is_blank(std::string_view text);

/// `text` without leading and trailing blanks.
std::string_view without_blanks(std::string_view text);

/// A value for a message, with invisible characters escaped.
std::string shown_value(std::string_view value);

/// `text` as a number of points. Only decimal digits are accepted; otherwise nothing.
std::optional<std::int64_t> parse_points(std::string_view text);

/// Why a non-empty value is not what was meant: "has lost digits in a spreadsheet: 1.2E+27; ...". Empty if nothing is
/// known to be wrong. `field` is one of order_fields.
std::string fault_of_value(std::string_view field, std::string_view value);

/// Detects numbers of which a spreadsheet has kept 15 digits and replaced the others by zeros. Spreadsheets do this to
/// a whole column. After a number of the column has kept its digits, numbers that end with only one or two zeros are
/// therefore accepted. Not thread-safe.
class RoundedNumbers {
 public:
  /// Whether `value`, the next one in the column of `field`, looks rounded in this way.
  bool suspects(std::string_view field, std::string_view value);

 private:
  std::array<bool, order_fields.size()> kept_digits_{};
};

}  // namespace wechatpay::bonus_commit::tool

#endif

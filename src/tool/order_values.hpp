// What spreadsheets, data frames and database dumps make of an order's values, and how it is found again.
#ifndef WECHATPAY_SRC_TOOL_ORDER_VALUES_HPP
#define WECHATPAY_SRC_TOOL_ORDER_VALUES_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// The fields of an order, as columns and members are called.
inline constexpr std::array<std::string_view, 7> order_fields = {"card_id",   "code",        "out_trade_no", "mchid",
                                                                 "sub_mchid", "bonus_value", "merchant_mode"};

/// How the error of a row that is no order begins, in the file of what failed.
inline constexpr std::string_view not_an_order = "not an order: ";

/// What to do about a file in another encoding.
inline constexpr const char* utf8_advice = "save as UTF-8 (CSV UTF-8), or: iconv -f GB18030 -t UTF-8";

bool is_utf8(std::string_view text);

/// Whether `text` is empty or has nothing but blanks: ASCII's, or characters of Unicode that nobody sees.
bool is_blank(std::string_view text);

/// `text` without the blanks at its ends.
std::string_view without_blanks(std::string_view text);

/// A value for a message: everything that nobody sees in it is escaped.
std::string shown_value(std::string_view value);

/// `text` as a number of points: decimal digits alone; nothing where it is none.
std::optional<std::int64_t> parse_points(std::string_view text);

/// Why a value, which is not empty, is not what was meant: "has lost digits in a spreadsheet: 1.2E+27; ...". Empty
/// where nothing is known to be wrong. `field` is one of order_fields.
std::string fault_of_value(std::string_view field, std::string_view value);

/// Finds numbers of which a spreadsheet has kept 15 digits and filled the rest up with zeros. It does so to all of a
/// column, so one or two zeros are believed once a number of the column has kept its digits. Not thread-safe.
class RoundedNumbers {
 public:
  /// Whether `value`, the next one in the column of `field`, looks so.
  bool suspects(std::string_view field, std::string_view value);

 private:
  std::array<bool, order_fields.size()> kept_digits_{};
};

}  // namespace wechatpay::bonus_commit::tool

#endif

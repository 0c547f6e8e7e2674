/// Parses Retry-After in all its forms.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_RETRY_AFTER_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_RETRY_AFTER_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Whether `text` matches `pattern`: 0 matches a digit, _ a digit or a space, A a letter, and any other character
/// itself.
inline bool has_form(std::string_view text, std::string_view pattern) noexcept {
  if (text.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const char p = pattern[i];
    if (!(p == '0' ? digit : p == '_' ? digit || c == ' ' : p == 'A' ? letter : c == p)) return false;
  }
  return true;
}

/// An HTTP-date in any of the three forms of RFC 9110, section 5.6.7, as Unix time; empty for any other text. The
/// weekday is not checked.
inline std::optional<std::int64_t> parse_http_date(std::string_view text) {
  struct Form {
    std::string_view pattern;  // after the weekday
    std::size_t day, month, year, digits_of_year, time;
  };
  constexpr Form forms[] = {
      {", 00 AAA 0000 00:00:00 GMT", 2, 5, 9, 4, 14},
      {", 00-AAA-00 00:00:00 GMT", 2, 5, 9, 2, 12},
      {" AAA _0 00:00:00 0000", 5, 1, 17, 4, 8},
  };
  std::size_t weekday = 0;
  while (weekday < text.size() && has_form(text.substr(weekday, 1), "A")) ++weekday;
  text.remove_prefix(weekday);
  const Form* form = nullptr;
  for (const Form& each : forms) {
    if (weekday >= 3 && has_form(text, each.pattern)) form = &each;
  }
  if (form == nullptr) return std::nullopt;

  const auto number = [text](std::size_t at, std::size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) value = value * 10 + (c == ' ' ? 0 : c - '0');
    return value;
  };
  const int day = number(form->day, 2);
  const int hour = number(form->time, 2);
  const int minute = number(form->time + 3, 2);
  const int second = number(form->time + 6, 2);
  int year = number(form->year, form->digits_of_year);
  if (form->digits_of_year == 2) year += year < 70 ? 2000 : 1900;
  const std::size_t at = std::string_view("JanFebMarAprMayJunJulAugSepOctNovDec").find(text.substr(form->month, 3));
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  const std::int64_t m = static_cast<std::int64_t>(at / 3) + 1;

  constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  const int last_day = lengths[m - 1] + (m == 2 && leap_year ? 1 : 0);
  if (year < 1970 || day < 1 || day > last_day || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  // Days since 1970-01-01 in the Gregorian calendar, with years that begin in March.
  const std::int64_t y = m <= 2 ? year - 1 : year;
  const std::int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return ((days - 719468) * 24 + hour) * 3600 + std::int64_t{minute} * 60 + second;
}

/// How long Retry-After asks to wait (RFC 9110, section 10.2.3): seconds, or an HTTP-date, which is compared with
/// `now`. Empty for any other text. Never negative; at most one day.
inline std::optional<std::chrono::seconds> parse_retry_after(std::string_view text,
                                                             std::chrono::system_clock::time_point now) {
  constexpr std::int64_t most = 86400;
  std::int64_t seconds = 0;
  if (consists_of(text, decimal_digits)) {
    for (const char digit : text) seconds = seconds > most ? most : seconds * 10 + (digit - '0');
  } else if (const auto date = parse_http_date(text)) {
    seconds = *date - std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  } else {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds < 0 ? 0 : seconds > most ? most : seconds);
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

/// Passes arbitrary Retry-After values through parse_retry_after() and parse_http_date().
#include <algorithm>
#include <ctime>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_support.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/stages/retry_after.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

constexpr std::int64_t day = 86400;
constexpr const char* forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y",
                                 "%a %b %d %H:%M:%S %Y"};

/// Parsed by the C library, in one of RFC 9110's three forms. asctime's day may begin with a space or a zero.
std::string formatted(const char* form, std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm fields{};
  gmtime_r(&time, &fields);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, form, &fields));
}

/// The weekday follows from the date, so it is not compared.
std::string_view without_weekday(std::string_view date) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  const auto end = std::find_if_not(date.begin(), date.end(), letter);
  date.remove_prefix(static_cast<std::size_t>(std::distance(date.begin(), end)));
  return date;
}

bool is_date_of(std::string_view text, std::int64_t seconds) {
  return std::any_of(std::begin(forms), std::end(forms), [&](const char* form) {
    if (without_weekday(text) == without_weekday(formatted(form, seconds))) return true;
    // A leap second counts as the first second of the next minute.
    std::string before = formatted(form, seconds - 1);
    const std::size_t last = before.find(":59", before.find(':') + 3);
    if (last == std::string::npos) return false;
    return without_weekday(text) == without_weekday(before.replace(last, 3, ":60"));
  });
}

void check_date(const std::string& text) {
  const auto date = parse_http_date(text);
  if (date) require(is_date_of(text, *date), "a date is the second that it names", text);
}

void check_pause(const std::string& text, std::int64_t now) {
  const auto pause = parse_retry_after(text, std::chrono::system_clock::time_point(std::chrono::seconds(now)));
  const auto date = parse_http_date(text);
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  require(pause.has_value() == (digits || date), "a number or a date, and nothing else, is a pause", text);
  if (!pause) return;
  require(pause->count() >= 0 && pause->count() <= day, "a pause is not negative, and a day at most", text);
  if (digits) {
    const std::string significant = text.substr(std::min(text.find_first_not_of('0'), text.size()));
    const std::int64_t number = significant.size() > 5 ? day : number_of<std::int64_t>(significant);
    require(pause->count() == std::min(number, day), "seconds are what they say", text);
  } else {
    require(pause->count() == std::clamp<std::int64_t>(*date - now, 0, day), "a date is waited for", text);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wechatpay::bonus_commit;
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_date(text);
  for (const std::int64_t now : {std::int64_t{0}, std::int64_t{784111777}, std::int64_t{4102444800}}) {
    check_pause(text, now);
  }

  // The reverse: the input is a number of seconds, which is written as a date.
  const auto seconds = number_of<std::int64_t>(text);
  if (seconds < 0 || seconds > 253402300799) return 0;
  for (const char* form : forms) {
    const bool two_digits = std::string_view(form).find("%y") != std::string_view::npos;
    if (two_digits && seconds >= 3155760000) continue;  // with two digits, 2070 looks like 1970
    const std::string date = formatted(form, seconds);
    require(parse_http_date(date) == seconds, "every date is read", date);
  }
  return 0;
}

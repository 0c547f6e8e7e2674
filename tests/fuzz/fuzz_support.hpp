/// Shared by the fuzz targets. A broken promise ends the run. Inputs are texts that a person can write.
#ifndef WECHATPAY_TESTS_FUZZ_SUPPORT_HPP
#define WECHATPAY_TESTS_FUZZ_SUPPORT_HPP

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

/// Ends the run if `holds` is false. `promise` names the broken promise, `text` is the value that broke it.
inline void require(bool holds, const char* promise, std::string_view text = {}) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN: %s: %.*s\n", promise, static_cast<int>(text.size()), text.data());
  std::abort();
}

/// Removes and returns the text before `separator`, and drops the separator. Takes everything if there is none.
inline std::string_view take(std::string_view& rest, char separator) {
  const std::string_view taken = rest.substr(0, rest.find(separator));
  rest.remove_prefix(taken.size() == rest.size() ? taken.size() : taken.size() + 1);
  return taken;
}

/// The number at the beginning of `text`, 0 if there is none.
template <typename Number>
Number number_of(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Whether `text` is safe in a log: one line of UTF-8 without invisible characters. Does not use the library's own
/// UTF-8 reader, because it checks that reader.
inline bool is_one_safe_line(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
  } catch (const nlohmann::json::type_error&) {
    return false;  // not UTF-8
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t ahead) {
      return i + ahead < text.size() ? static_cast<unsigned char>(text[i + ahead]) : 0U;
    };
    if (byte(0) < 0x20 || byte(0) == 0x7F) return false;
    // C1, U+00A0 and U+00AD; then U+2000 to U+200F, U+2028 to U+202F, U+205F to U+206F, U+3000 and U+FEFF.
    if (byte(0) == 0xC2 && (byte(1) <= 0xA0 || byte(1) == 0xAD)) return false;
    if (byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) <= 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAF))) return false;
    if (byte(0) == 0xE2 && byte(1) == 0x81 && byte(2) >= 0x9F && byte(2) <= 0xAF) return false;
    if (byte(0) == 0xE3 && byte(1) == 0x80 && byte(2) == 0x80) return false;
    if (byte(0) == 0xEF && byte(1) == 0xBB && byte(2) == 0xBF) return false;
  }
  return true;
}

/// Whether `text` contains a piece of `secret` of 20 characters or more. A piece that `input` contains does not count,
/// because libFuzzer observes comparisons of texts and puts those texts into its inputs.
inline bool leaks(std::string_view text, std::string_view secret, std::string_view input = {}) {
  constexpr std::size_t size = 20;
  constexpr std::size_t margin = 4;  // \xNN may add this much at either end
  for (std::size_t at = 0; at + size <= secret.size(); at += size) {
    const std::string_view piece = secret.substr(at, size);
    if (contains(text, piece) && !contains(input, piece.substr(margin, size - 2 * margin))) return true;
  }
  return false;
}

}  // namespace wechatpay::bonus_commit

#endif

/// Text from outside: decoded strictly, and made safe for a message or a log line.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_TEXT_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_TEXT_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The result of decoding one code point of a UTF-8 text.
struct CodePoint {
  char32_t value = 0;     ///< the code point; 0 for a byte that is not UTF-8
  std::size_t bytes = 0;  ///< its length in bytes; 1 for a byte that is not UTF-8
  bool valid = false;     ///< false: not UTF-8 (overlong, surrogate, truncated or beyond U+10FFFF; RFC 3629)
};

/// Decodes the first code point of `text`, which must not be empty.
inline CodePoint first_code_point(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};

  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {0, 1, false};
  char32_t value = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {0, 1, false};
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  const char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest[bytes] || surrogate || value > 0x10FFFF) return {0, 1, false};
  return {value, bytes, true};
}

/// C0, DEL and C1.
inline bool is_control(char32_t value) noexcept { return value < 0x20 || (value >= 0x7F && value <= 0x9F); }

/// Whether the character is invisible, looks like an ASCII space, or changes how its neighbours are displayed. These
/// are all format characters, all separators except U+0020, the default ignorable code points, and the noncharacters
/// (Unicode 16.0, UnicodeData.txt: Cf, Zs, Zl, Zp; DerivedCoreProperties.txt: Default_Ignorable_Code_Point); also the
/// blank braille pattern and the object replacement character.
inline bool is_invisible(char32_t value) noexcept {
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr Range ranges[] = {
      {0x00A0, 0x00A0},   {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x0600, 0x0605},   {0x061C, 0x061C},
      {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},   {0x08E2, 0x08E2},   {0x115F, 0x1160},
      {0x1680, 0x1680},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x2000, 0x200F},   {0x2028, 0x202F},
      {0x205F, 0x206F},   {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},   {0xFDD0, 0xFDEF},
      {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFC},   {0x110BD, 0x110BD},
      {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
  };
  if (value < 0xA0) return false;
  if ((value & 0xFFFEU) == 0xFFFEU) return true;
  for (const Range& range : ranges) {
    if (value < range.first) return false;
    if (value <= range.last) return true;
  }
  return false;
}

/// The digits of decimal numbers.
inline constexpr std::string_view decimal_digits = "0123456789";
/// The digits of hexadecimal numbers, in both cases.
inline constexpr std::string_view hex_digits = "0123456789ABCDEFabcdef";

/// Whether the text has no other characters than these. False for an empty text.
inline bool consists_of(std::string_view text, std::string_view characters) noexcept {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

/// Whether the text starts with `prefix`, as C++20's std::string_view::starts_with().
inline bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.substr(0, prefix.size()) == prefix;
}

/// Appends the last `digits` hexadecimal digits of `value`, in upper case.
inline void append_hex(std::string& out, char32_t value, unsigned digits) {
  while (digits-- != 0) out += "0123456789ABCDEF"[(value >> (4 * digits)) & 0xFU];
}

/// The character's code point as text: "U+200B".
inline std::string code_point_name(char32_t value) {
  std::string name = "U+";
  append_hex(name, value, value > 0xFFFFF ? 6 : value > 0xFFFF ? 5 : 4);
  return name;
}

/// Whether the text has a byte of C0 or DEL. C1 in UTF-8 is not checked.
inline bool has_control_character(std::string_view ascii) noexcept {
  unsigned found = 0;  // no early exit: compilers vectorize such a loop
  for (const char c : ascii) found |= static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? 1U : 0U;
  return found != 0;
}

/// `text` with the letters a to z in upper case, independent of the locale.
inline std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

/// @}

/// `text` for a message or a log line: at most `most` characters, with an ellipsis if it was cut. Control characters,
/// bytes that are not UTF-8, and characters that are invisible or change how others are displayed (is_invisible())
/// become `\xNN`, so the reader sees exactly what the text contains.
inline std::string printable(std::string_view text, std::size_t most = 200) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (text.size() <= most && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out;
  out.reserve(text.size() < most ? text.size() : most);
  for (std::size_t count = 0; !text.empty(); ++count) {
    if (count == most) return out + "\xE2\x80\xA6";  // an ellipsis, independent of the source encoding
    const CodePoint next = first_code_point(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    if (next.valid && !is_control(next.value) && !is_invisible(next.value)) {
      out += bytes;
    } else {
      for (const char c : bytes) {
        out += "\\x";
        append_hex(out, static_cast<unsigned char>(c), 2);
      }
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

/// `text` without anything that could be a signature. A proxy's error page may echo the request's headers, and no error
/// or log line may contain an Authorization value. A signature is 344 characters of Base64. So every run of 100 or more
/// characters of Base64 (or of its escaped forms in HTML, URLs and JSON) is replaced by `[redacted]`, even if it is
/// wrapped in lines of 60 or more characters.
inline std::string without_signatures(std::string_view text) {
  constexpr std::string_view escapes = "+/=%&#;\\-_";
  const auto of_signature = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           escapes.find(c) != std::string_view::npos;
  };
  if (text.size() < 100) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t run = 0;
    for (std::size_t line = 0; run < text.size(); ++run) {
      if (of_signature(text[run])) {
        ++line;
        continue;
      }
      if (line < 60) break;
      const std::string_view gap = text.substr(run, 8);
      const std::size_t space = gap.find_first_not_of(" \t\r\n");
      const bool wrapped = space > 0 && space != std::string_view::npos && of_signature(gap[space]) &&
                           gap.substr(0, space).find_first_of("\r\n") != std::string_view::npos;
      if (!wrapped) break;
      run += space;
      line = 1;
    }
    if (run >= 100) {
      out += "[redacted]";
    } else {
      out += text.substr(0, run);
    }
    text.remove_prefix(run);
    if (!text.empty()) {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

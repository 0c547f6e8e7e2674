#include "wechatpay/bonus_commit/stages/text.hpp"

#include <gtest/gtest.h>

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

TEST(FirstCodePoint, DecodesEachLength) {
  EXPECT_EQ(first_code_point("A").value, U'A');
  EXPECT_EQ(first_code_point("é").value, U'é');
  EXPECT_EQ(first_code_point("中文").value, U'中');
  EXPECT_EQ(first_code_point("中文").bytes, 3U);
  EXPECT_EQ(first_code_point("😀").value, U'😀');
  EXPECT_EQ(first_code_point("😀").bytes, 4U);
}

TEST(FirstCodePoint, DecodesTheFirstAndTheLastOfEachLength) {
  const struct {
    std::string_view bytes;
    char32_t value;
  } cases[] = {
      {"\x7F", 0x7F},
      {"\xC2\x80", 0x80},
      {"\xDF\xBF", 0x7FF},
      {"\xE0\xA0\x80", 0x800},
      {"\xED\x9F\xBF", 0xD7FF},
      {"\xEE\x80\x80", 0xE000},
      {"\xEF\xBF\xBF", 0xFFFF},
      {"\xF0\x90\x80\x80", 0x10000},
      {"\xF4\x8F\xBF\xBF", 0x10FFFF},
  };
  for (const auto& each : cases) {
    const CodePoint point = first_code_point(each.bytes);
    EXPECT_TRUE(point.valid) << code_point_name(each.value);
    EXPECT_EQ(point.value, each.value);
    EXPECT_EQ(point.bytes, each.bytes.size());
  }
}

TEST(FirstCodePoint, RefusesWhatRfc3629RulesOut) {
  const struct {
    const char* name;
    std::string_view bytes;
  } cases[] = {
      {"a lone continuation byte", "\x80"},     {"an overlong slash", "\xC0\xAF"},
      {"an overlong of two bytes", "\xC1\xBF"}, {"an overlong of three bytes", "\xE0\x9F\xBF"},
      {"a surrogate", "\xED\xA0\x80"},          {"an overlong of four bytes", "\xF0\x8F\xBF\xBF"},
      {"beyond U+10FFFF", "\xF4\x90\x80\x80"},  {"a lead byte that never occurs", "\xF5\x80\x80\x80"},
      {"a truncated character", "\xE4\xB8"},    {"a broken continuation", "\xE4\xB8\x2E"},
      {"the last surrogate", "\xED\xBF\xBF"},   {"the last lead byte", "\xFF\x80\x80\x80"},
  };
  for (const auto& each : cases) {
    const CodePoint point = first_code_point(each.bytes);
    EXPECT_FALSE(point.valid) << each.name;
    EXPECT_EQ(point.bytes, 1U) << each.name;
  }
}

TEST(Printable, KeepsTextAndEscapesWhatWouldFoolAReader) {
  EXPECT_EQ(printable("订单 42"), "订单 42");
  EXPECT_EQ(printable("a\r\nb\x1B[31m"), "a\\x0D\\x0Ab\\x1B[31m");
  EXPECT_EQ(printable("\xFF"), "\\xFF");
  EXPECT_EQ(printable("\u202Egnp.exe"), "\\xE2\\x80\\xAEgnp.exe");
  EXPECT_EQ(printable("a\u2028b"),
            "a\\xE2\\x80\\xA8"
            "b");
}

TEST(Printable, EscapesWhatCannotBeSeen) {
  const char* const invisible[] = {
      "\u00A0",     "\u00AD",     "\u034F",     "\u0600",     "\u0605",     "\u061C",     "\u06DD",     "\u070F",
      "\u08E2",     "\u115F",     "\u1160",     "\u1680",     "\u17B4",     "\u180B",     "\u180E",     "\u180F",
      "\u2000",     "\u2009",     "\u200A",     "\u200B",     "\u200C",     "\u200D",     "\u200E",     "\u200F",
      "\u2028",     "\u2029",     "\u202A",     "\u202E",     "\u202F",     "\u205F",     "\u2060",     "\u2064",
      "\u2065",     "\u2066",     "\u2069",     "\u206F",     "\u2800",     "\u3000",     "\u3164",     "\uFDD0",
      "\uFDEF",     "\uFE00",     "\uFE0F",     "\uFEFF",     "\uFFA0",     "\uFFF9",     "\uFFFB",     "\uFFFC",
      "\uFFFE",     "\uFFFF",     "\u0890",     "\u0891",     "\u17B5",     "\uFFF0",     "\u180C",     "\u180D",
      "\U000110BD", "\U000110CD", "\U00013430", "\U0001343F", "\U0001BCA0", "\U0001D173", "\U0001D17A", "\U0001FFFE",
      "\U000E0001", "\U000E0041", "\U000E007F", "\U000E01EF", "\U0010FFFF"};
  for (const char* one : invisible) {
    EXPECT_TRUE(is_invisible(first_code_point(one).value)) << code_point_name(first_code_point(one).value);
    const std::string shown = printable(std::string("1") + one + "9");
    for (const char c : shown) EXPECT_TRUE(c > ' ' && c <= '~') << shown;
  }
  EXPECT_EQ(printable("1900000109\u200B"), "1900000109\\xE2\\x80\\x8B");
}

TEST(Printable, KeepsWhatCanBeSeen) {
  for (const char* text :
       {"a b",    "\u00A1", "\u00AC",     "\u00AE",     "\u0301",     "\u0350",    "\u0606", "\u061B", "\u061D",
        "\u1FFF", "\u2010", "\u2027",     "\u2030",     "\u205E",     "\u2070",    "\u27FF", "\u2801", "\u3001",
        "\u3163", "\u4E00", "\uFDCF",     "\uFDF0",     "\uFE10",     "\uFE70",    "\uFF01", "\uFF11", "\uFF9F",
        "\uFFA1", "\uFFFD", "\U00013440", "\U0001F600", "\U0002A6D6", "\U000E1000"}) {
    EXPECT_EQ(printable(text), text) << code_point_name(first_code_point(text).value);
  }
}

TEST(Printable, KnowsTheFirstAndTheLastOfEachRangeThatCannotBeSeen) {
  // Between two ranges there is always a visible character.
  constexpr char32_t ranges[][2] = {
      {0x00A0, 0x00A0},   {0x00AD, 0x00AD},   {0x034F, 0x034F},     {0x0600, 0x0605},   {0x061C, 0x061C},
      {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},     {0x08E2, 0x08E2},   {0x115F, 0x1160},
      {0x1680, 0x1680},   {0x17B4, 0x17B5},   {0x180B, 0x180F},     {0x2000, 0x200F},   {0x2028, 0x202F},
      {0x205F, 0x206F},   {0x2800, 0x2800},   {0x3000, 0x3000},     {0x3164, 0x3164},   {0xFDD0, 0xFDEF},
      {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},     {0xFFF0, 0xFFFC},   {0xFFFE, 0xFFFF},
      {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1343F},   {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
      {0x1FFFE, 0x1FFFF}, {0xE0000, 0xE0FFF}, {0x10FFFE, 0x10FFFF},
  };
  for (const auto& [first, last] : ranges) {
    EXPECT_TRUE(is_invisible(first)) << code_point_name(first);
    EXPECT_TRUE(is_invisible(last)) << code_point_name(last);
    EXPECT_FALSE(is_invisible(last + 1)) << code_point_name(last + 1);
    if (first > 0xA0 && first != 0xE0000) {
      EXPECT_FALSE(is_invisible(first - 1)) << code_point_name(first - 1);
    }
  }
}

TEST(IsControl, KnowsTheFirstAndTheLastOfC0AndC1) {
  for (const char32_t control : {U'\0', U'\x1F', U'\x7F', U'\x80', U'\x9F'}) EXPECT_TRUE(is_control(control));
  for (const char32_t other : {U' ', U'~', U'\xA0'}) EXPECT_FALSE(is_control(other));
}

TEST(CodePointName, HasFourDigitsAtLeast) {
  EXPECT_EQ(code_point_name(U'\n'), "U+000A");
  EXPECT_EQ(code_point_name(0x200B), "U+200B");
  EXPECT_EQ(code_point_name(0x1F600), "U+1F600");
}

TEST(Printable, CutsByCharactersAndSaysSo) {
  EXPECT_EQ(printable("中文字", 2), "中文…");
  EXPECT_EQ(printable("中文字", 3), "中文字");
}

TEST(WithoutSignatures, RemovesLongBase64InEveryDisguise) {
  const std::string signature(342, 'k');
  EXPECT_EQ(without_signatures("signature=\"" + signature + "==\" end"), "signature=\"[redacted]\" end");
  std::string escaped;
  for (int i = 0; i < 40; ++i) escaped += "abcdefg%2F&#x2B;\\/";
  EXPECT_EQ(without_signatures("<" + escaped + ">"), "<[redacted]>");
}

TEST(WithoutSignatures, RemovesBase64ThatIsWrapped) {
  for (const char* end : {"\n", "\r\n", "\n    "}) {
    std::string wrapped;
    for (int i = 0; i < 4; ++i) wrapped += std::string(76, 'k') + end;
    EXPECT_EQ(without_signatures("<" + wrapped + std::string(38, 'k') + "==> end"), "<[redacted]> end");
  }
  EXPECT_EQ(without_signatures(std::string(99, 'a') + " " + std::string(99, 'b')),
            std::string(99, 'a') + " " + std::string(99, 'b'))
      << "one line";
}

/// A signature in lines of `width`.
std::string wrapped_at(std::size_t width, const std::string& end) {
  std::string text = std::string(342, 'k') + "==";
  for (std::size_t at = width; at < text.size(); at += width + end.size()) text.insert(at, end);
  return text;
}

TEST(WithoutSignatures, RemovesBase64ThatIsWrappedAtAnyUsualWidth) {
  for (const std::size_t width : {60U, 64U, 72U, 76U}) {
    for (const char* end : {"\n", "\r\n", "\n\t", "\r\n     "}) {
      EXPECT_EQ(without_signatures("<" + wrapped_at(width, end) + "> end"), "<[redacted]> end") << width;
    }
  }
}

TEST(WithoutSignatures, RemovesAHundredCharactersAndKeepsOneLess) {
  EXPECT_EQ(without_signatures(std::string(100, 'a')), "[redacted]");
  EXPECT_EQ(without_signatures(std::string(99, 'a')), std::string(99, 'a'));
}

TEST(WithoutSignatures, KeepsShorterLinesAndLinesThatStandApart) {
  for (const std::string& text :
       {wrapped_at(59, "\n"), std::string(90, 'a') + "\n\n\n\n\n\n\n\n" + std::string(90, 'b'),
        std::string(90, 'a') + "\n", std::string(90, 'a') + "\n!" + std::string(90, 'b')}) {
    EXPECT_EQ(without_signatures(text), text);
  }
}

TEST(WithoutSignatures, KeepsShortRunsAndOtherText) {
  const std::string text =
      "错误 PARAM_ERROR at /v3/marketing/membercard-open/cards/478515832665 (" + std::string(99, 'a') + ")";
  EXPECT_EQ(without_signatures(text), text);
}

TEST(HasControlCharacter, FindsThem) {
  EXPECT_TRUE(has_control_character("a\nb"));
  EXPECT_TRUE(has_control_character("\x7F"));
  EXPECT_FALSE(has_control_character("a b~中"));
}

TEST(UpperCase, TouchesLettersAToZAlone) { EXPECT_EQ(upper_case("0aZz_é"), "0AZZ_é"); }

}  // namespace
}  // namespace wechatpay::bonus_commit

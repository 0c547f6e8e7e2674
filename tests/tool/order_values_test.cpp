#include "order_values.hpp"

#include <gtest/gtest.h>

#include <string>

#include "similar_names.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

std::string fault(const std::string& value) { return fault_of_value("out_trade_no", value); }

TEST(OrderValues, AreTakenAsMerchantsWriteThem) {
  for (const char* value : {"1217752501201407033233368018",
                            "0",
                            "478515832665",
                            "20260101-0001",
                            "2026_01_01_17",
                            "A1B2C3",
                            "12E34",
                            "2026E0001",
                            "1E27A",
                            "0x10",
                            "3x1020",
                            "order|7",
                            "a*b@c",
                            "-17",
                            "pUgZ_Wt-8",
                            "N-1",
                            "NULL1",
                            "nantes",
                            "\xE8\xAE\xA2\xE5\x8D\x95" /* 订单 */,
                            "a b",
                            "Err",
                            "E",
                            "e5",
                            "1e5",
                            "x10",
                            "unknownX",
                            "error:abc",
                            "err:",
                            "\\x7",
                            "3x20",
                            "1.5^2",
                            "(1217)",
                            "[12:30]",
                            "12:30:",
                            "2026/1/",
                            "1234 567",
                            "1 21 752",
                            "1  217"}) {
    EXPECT_EQ(fault(value), "") << value;
  }
}

TEST(OrderValues, AreFoundToBeNullInAnySpelling) {
  for (const char* value : {"NULL",
                            "null",
                            "Null",
                            "\\N",
                            "\\n",
                            "None",
                            "nil",
                            "NaN",
                            "nan",
                            "-nan",
                            "<null>",
                            "<NULL>",
                            "(null)",
                            "[NULL]",
                            "{null}",
                            "N/A",
                            "n/a",
                            "n.a.",
                            "N.A",
                            "NA",
                            "<NA>",
                            "NaT",
                            "undefined",
                            "(undefined)",
                            "<none>",
                            "(empty)",
                            "[object Object]",
                            "System.DBNull",
                            "1.#QNAN",
                            "-",
                            "--",
                            "\xE2\x80\x94",
                            "Infinity",
                            "-inf",
                            "\xEF\xBC\xAE\xEF\xBC\xB5\xEF\xBC\xAC\xEF\xBC\xAC" /* full-width */,
                            "\xE7\xA9\xBA" /* 空 */,
                            "\xE6\x97\xA0" /* 无 */,
                            "?",
                            ".",
                            "...",
                            "//",
                            "_",
                            "\u2014\u2014",
                            "\\0",
                            "+1.#INF",
                            "Not Available"}) {
    EXPECT_TRUE(contains(fault(value), "means no value")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToHaveLostDigitsInFurtherSpellings) {
  for (const char* value : {"12E26", "121e25", "1.21775 10^27", "(1.2E+27)", "1.2\u00A010^27", "[1.2E+27]",
                            "-(1.2E+27)", "1.2 x 10^27", "12 E26", "{1.2E27}", "1.2X10^27"}) {
    EXPECT_TRUE(contains(fault(value), "has lost digits")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToBeNullAsProgramsPrintIt) {
  for (const char* value :
       {"-1.#IND",  "1.#INF",       "-1.#QNAN",     "-nan(ind)",           "nan(snan)", "{}",     "[]",
        "()",       "<>",           "DBNull.Value", "System.DBNull.Value", "pd.NA",     "np.nan", "pd.NaT",
        "math.nan", "float('nan')", "%!s(<nil>)",   "%!d(<nil>)",          "~",         "\\\\N",  "\\N"}) {
    EXPECT_TRUE(contains(fault(value), "means no value")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToCarryAMarkInFurtherSpellings) {
  for (const char* value : {"\\'1217", "&apos;1217", "&#39;1217", "&#x27;1217", "&quot;1217",
                            "\u02B9"
                            "1217",
                            "\u02BC"
                            "1217",
                            "\u2032"
                            "1217",
                            "\u02CB"
                            "1217",
                            "\u2035"
                            "1217",
                            "1217\u2032", "1217&apos;", "\\\"1217"}) {
    EXPECT_TRUE(contains(fault(value), "has a mark")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToBeASpreadsheetsError) {
  for (const char* value : {"#N/A",
                            "#REF!",
                            "#VALUE!",
                            "#NAME?",
                            "#DIV/0!",
                            "#NUM!",
                            "#NULL!",
                            "#SPILL!",
                            "#####",
                            "#NV",
                            "#BEZUG!",
                            "#WERT!",
                            "#ZAHL!",
                            "#\xC3\x9C"
                            "BERLAUF!",
                            "#VALEUR!",
                            "#\xC2\xA1REF!",
                            "#\xE5\x90\x8D\xE7\xA7\xB0?" /* #名称? */,
                            "\xEF\xBC\x83N/A" /* ＃ */,
                            "Err:502",
                            "Fehler:508",
                            "\xE9\x94\x99\xE8\xAF\xAF:502" /* 错误 */}) {
    EXPECT_TRUE(contains(fault(value), "is a spreadsheet error")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToCarryAMark) {
  for (const char* value : {"'1217", "`1217",
                            "\xE2\x80\x98"
                            "1217",
                            "\xE2\x80\x99"
                            "1217",
                            "\"1217\"", "'1217'",
                            "\xE2\x80\x9C"
                            "1217\xE2\x80\x9D",
                            "1217'",
                            "\xEF\xBC\x87"
                            "1217",
                            "\xC2\xB4"
                            "1217"}) {
    EXPECT_TRUE(contains(fault(value), "has a mark ")) << value << ": " << fault(value);
  }
  EXPECT_TRUE(contains(fault("'1217"), "has a mark ' before or after it"));
  for (const char* value : {"=\"1217\"", "=1217", "=T(\"1217\")",
                            "\xEF\xBC\x9D"
                            "1217"}) {
    EXPECT_TRUE(contains(fault(value), "is a spreadsheet formula")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, AreFoundToHaveLostDigitsInAnyLocale) {
  for (const char* value :
       {"1.21775E+27",
        "1,23457E+27",
        "1.2e27",
        "1.2e+27",
        "1.2E 27",
        "1,2 E 27",
        "1.2 E + 27",
        "+1.2E+27",
        "1E+27",
        "1e27",
        "1.E+27",
        "1.2x10^27",
        "1.2*10^27",
        "1.2*10**27",
        "1.2 \xC3\x97 10^27",
        "1.2\xC3\x97"
        "10^27",
        "1.2\xC2\xB7"
        "10^27",
        "1.2\xC3\x97"
        "10\xC2\xB2\xE2\x81\xB7" /* superscripts */,
        "1\xD9\xAB"
        "2E+27",
        "1.2D+27",
        "12.3E+24",
        "1.2\xE2\x8F\xA8"
        "27",
        "1.2E-5",
        "1.2E\xE2\x88\x92"
        "5",
        "\xEF\xBC\x91\xEF\xBC\x8E\xEF\xBC\x92\xEF\xBC\xA5\xEF\xBC\x8B\xEF\xBC\x92\xEF\xBC\x97" /* full-width */,
        "1.2x10^{27}",
        "1\xC3\x97"
        "10^27"}) {
    EXPECT_TRUE(contains(fault(value), "has lost digits in a spreadsheet")) << value << ": " << fault(value);
  }
}

TEST(OrderValues, InScientificNotationWithoutAPointAreNumbersOf16To32Digits) {
  for (const char* value : {"1e15", "1E31", "123e13", "123E29"}) {
    EXPECT_TRUE(contains(fault(value), "has lost digits")) << value << ": " << fault(value);
  }
  for (const char* value : {"1e14", "1E32", "123e12", "123E30", "1234e20"}) EXPECT_EQ(fault(value), "") << value;
}

TEST(OrderValues, AreFoundToHaveADecimalPointOrSeparators) {
  for (const char* value : {"1230000109.0", "1230000109,0", "1230000109.00", "30.", "30,5", "-1.5", "1,217"}) {
    EXPECT_TRUE(contains(fault(value), "has a decimal point or comma")) << value << ": " << fault(value);
  }
  for (const char* value : {"1,217,752", "1.217.752", "1'217",
                            "1\xE2\x80\x99"
                            "217",
                            "1 217 752", "1,217,752.00", "12,17,752", "1,2177,5250"}) {
    EXPECT_TRUE(contains(fault(value), "has separators between its digits")) << value << ": " << fault(value);
  }
  for (const char* value : {"2026/1/2", "12:30", "12:30:00"}) {
    EXPECT_TRUE(contains(fault(value), "has become a date or a time")) << value << ": " << fault(value);
  }
  EXPECT_TRUE(contains(fault("+1217"), "has a sign"));
}

TEST(OrderValues, AreShownEscapedWhereTheyHoldWhatNobodySees) {
  EXPECT_EQ(fault("3 "), "begins or ends with blanks: \"3 \"");
  EXPECT_EQ(fault("3\xC2\xA0"), "begins or ends with blanks: \"3\\xC2\\xA0\"");
  for (const char* value : {"\t3",
                            "\xC2\xA0"
                            "3",
                            "3\xE3\x80\x80",
                            "\xE2\x80\x8B"
                            "3",
                            "3\xEF\xBB\xBF",
                            "\xE2\x80\xAF"
                            "3",
                            "3\xE2\x80\x8E",
                            "\xE2\x81\xA0"
                            "3",
                            "\xC2\xAD"
                            "3",
                            " ", "\xC2\xA0"}) {
    EXPECT_TRUE(contains(fault(value), "begins or ends with blanks")) << fault(value);
  }
  EXPECT_EQ(fault("3\xE2\x80\x8B"
                  "4"),
            "has invisible characters: \"3\\xE2\\x80\\x8B4\"");
  EXPECT_TRUE(is_blank(" \t\xC2\xA0\xE3\x80\x80"));
  EXPECT_FALSE(is_blank("\xFF"));
  EXPECT_EQ(without_blanks("\xEF\xBB\xBF a b\xC2\xA0"), "a b");
}

TEST(OrderValues, InAnotherEncodingAreToldHowToBecomeUtf8) {
  EXPECT_EQ(fault("\xBB\xE1"), "is not UTF-8: \\xBB\\xE1; save as UTF-8 (CSV UTF-8), or: iconv -f GB18030 -t UTF-8");
}

TEST(OrderValues, OfMerchantIdsAreAsciiDigits) {
  for (const char* field : {"mchid", "sub_mchid"}) {
    EXPECT_EQ(fault_of_value(field, "1230000109"), "");
    EXPECT_EQ(fault_of_value(field, "wx8888888888888888"), "must be digits, 0 to 9, not wx8888888888888888");
    EXPECT_TRUE(contains(fault_of_value(field, "\xEF\xBC\x91\xEF\xBC\x92"), "has full-width digits"));
    EXPECT_TRUE(contains(fault_of_value(field, "\xD9\xA1\xD9\xA2"), "must be digits, 0 to 9"));  // Arabic digits
  }
  EXPECT_TRUE(contains(fault("\xEF\xBC\x91\xEF\xBC\x92"), "has full-width digits"));
  EXPECT_TRUE(contains(fault("\xEF\xBC\xA1"), "has full-width characters"));
  for (const char* first_and_last : {"a\uFF01", "a\uFF5E"}) {
    EXPECT_TRUE(contains(fault(first_and_last), "has full-width characters")) << first_and_last;
  }
  for (const char* beyond : {"a\uFF00", "a\uFF5F"}) EXPECT_EQ(fault(beyond), "") << beyond;
}

TEST(RoundedNumbers, AreThoseOfFifteenDigitsAndZeros) {
  RoundedNumbers rounded;
  EXPECT_TRUE(rounded.suspects("out_trade_no", "1217752501201410000000000000"));
  EXPECT_TRUE(rounded.suspects("out_trade_no", "1234567890123450"));
  EXPECT_FALSE(rounded.suspects("out_trade_no", "123456789012345"));
  EXPECT_FALSE(rounded.suspects("out_trade_no", "A217752501201410000000000000"));
  EXPECT_FALSE(rounded.suspects("out_trade_no", "0000000000000000000000000000"));
}

TEST(RoundedNumbers, AreNotSeenInAColumnThatHasKeptItsDigits) {
  RoundedNumbers rounded;
  EXPECT_FALSE(rounded.suspects("code", "1234567890123456"));
  EXPECT_FALSE(rounded.suspects("code", "1234567890123450"));
  EXPECT_FALSE(rounded.suspects("code", "123456789012345000"));
  EXPECT_TRUE(rounded.suspects("code", "1234567890123450000"));  // by chance, at most 9 in 10,000 do
  EXPECT_TRUE(rounded.suspects("card_id", "1234567890123450"));  // another column
}

TEST(SimilarNames, AreFoundAcrossSpellings) {
  const std::vector<std::string> names = {"commit", "backfill", "check", "doctor", "sandbox", "completion"};
  EXPECT_EQ(similar_name("comit", names), "commit");
  EXPECT_EQ(similar_name("Back-Fill", names), "backfill");
  EXPECT_EQ(similar_name("chekc", names), "check");
  EXPECT_EQ(similar_name("docter", names), "doctor");
  EXPECT_EQ(similar_name("status", names), "");
  EXPECT_EQ(similar_name("code", {"mode", "note"}), "mode");
  EXPECT_EQ(similar_name("code", {"note", "bonus"}), "");
}

TEST(SimilarNames, AreNoneOfMoreThanAHundredCharacters) {
  const std::string longest(100, 'x');
  EXPECT_EQ(similar_name(longest + "y", {longest}), longest);
  EXPECT_EQ(similar_name(longest + "y", {longest + "x"}), "");
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool

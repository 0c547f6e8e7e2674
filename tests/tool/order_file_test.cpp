#include "order_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "csv.hpp"
#include "tests/support/failing_input.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

const std::string header = "card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n";

class OrderFileTest : public ::testing::Test {
 protected:
  Result<OrderFile> open(const std::string& content, const BonusCommitRequest& defaults = {}) {
    return OrderFile::open(folder_.write("orders", content), defaults);
  }

  std::vector<OrderRow> rows(const std::string& content, const BonusCommitRequest& defaults = {}) {
    OrderFile file = open(content, defaults).value();
    std::vector<OrderRow> all;
    while (auto row = file.next()) all.push_back(*row);
    return all;
  }

  std::string refusal(const std::string& content, const BonusCommitRequest& defaults = {}) {
    const auto file = open(content, defaults);
    return file ? "" : file.error().message;
  }

  TemporaryFolder folder_;
};

TEST_F(OrderFileTest, ReadsCsvByItsHeader) {
  const auto all = rows("bonus_value,remark,sub_mchid,mchid,out_trade_no,code,card_id\n30,x,5,4,3,2,1\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_EQ(all[0].line, 2U);
  EXPECT_EQ(all[0].text, "30,x,5,4,3,2,1");
  EXPECT_EQ(all[0].request.card_id, "1");
  EXPECT_EQ(all[0].request.code, "2");
  EXPECT_EQ(all[0].request.out_trade_no, "3");
  EXPECT_EQ(all[0].request.mchid, "4");
  EXPECT_EQ(all[0].request.sub_mchid, "5");
  EXPECT_EQ(all[0].request.bonus_value, 30);
}

TEST_F(OrderFileTest, ReadsJsonLines) {
  const auto all = rows(
      "{\"card_id\":\"1\",\"code\":\"2\",\"out_trade_no\":\"3\",\"mchid\":\"4\",\"bonus_value\":30,"
      "\"merchant_mode\":\"direct\",\"remark\":[1]}\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_EQ(all[0].request.out_trade_no, "3");
  EXPECT_EQ(all[0].request.bonus_value, 30);
  EXPECT_EQ(all[0].request.merchant_mode, MerchantMode::direct);
}

TEST_F(OrderFileTest, TakesTheFormsThatSpreadsheetsWrite) {
  for (const std::string& content : {
           "\xEF\xBB\xBF" + header + "1,2,3,4,5,6\n",  // a byte order mark
           std::string("card_id;code;out_trade_no;mchid;sub_mchid;bonus_value\r\n1;2;3;4;5;6\r\n"),
           std::string("card_id\tcode\tout_trade_no\tmchid\tsub_mchid\tbonus_value\n1\t2\t3\t4\t5\t6\n"),
           "\n\n" + header + "\n\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"\n\n",  // empty lines
           header + "1,2,3,4,5,6\r\n",
           header + "1,2,3,4,5,6\r\r\n",  // converted twice
           "\xEF\xBB\xBF\xEF\xBB\xBF" + header + "1,2,3,4,5,6\n",
           std::string("card_id,\xC2\xA0"
                       "code,out_trade_no,mchid,sub_mchid,bonus_value\n1,2,3,4,5,6\n"),
           std::string("card_id, code ,out_trade_no,mchid,sub_mchid,bonus_value\n1,2,3,4,5,6\n"),
           "\xEF\xBB\xBF\n" + header + "1,2,3,4,5,6\n",
       }) {
    const auto all = rows(content);
    ASSERT_EQ(all.size(), 1U) << content;
    EXPECT_EQ(all[0].fault, "") << content;
    EXPECT_EQ(all[0].request.card_id, "1") << content;
    EXPECT_EQ(all[0].request.bonus_value, 6) << content;
  }
}

TEST_F(OrderFileTest, ReadsQuotedFields) {
  const auto all = rows("remark," + header + "\"a, \"\"b\"\"\nc\",1,2,3,4,5,6\n,1,2,3,4,5,7\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_EQ(all[0].text, "\"a, \"\"b\"\"\nc\",1,2,3,4,5,6");
  EXPECT_EQ(all[0].request.bonus_value, 6);
  EXPECT_EQ(all[1].line, 4U);
  EXPECT_EQ(all[1].request.bonus_value, 7);
}

TEST_F(OrderFileTest, SaysWhatIsWrongWithARowAndGoesOn) {
  const auto all = rows(header +
                        "1,2,3,4,5,0\n"
                        "1,2,3,4,5,thirty\n"
                        "1,2,3,4,5,30.0\n"
                        "1,2,3,4,5,9223372036854775808\n"
                        "1,2,3,4\n"
                        "1,2,3,4,5,6,7\n"
                        "1,2,1.21775E+27,4,5,6\n"
                        "1,\xD6\xD0,3,4,5,6\n"
                        "1,2,3,,5,6\n"
                        "1,2,3 ,4,5,6\n"
                        "1,2,3,4,5,6\n");
  const char* faults[] = {"bonus_value must be 1 or more (given: 0)",
                          "bonus_value must be a whole number, not thirty",
                          "bonus_value must be a whole number, not 30.0",
                          "bonus_value must be a whole number, not 9223372036854775808",
                          "has 4 fields, the header 6",
                          "has 7 fields, the header 6",
                          "out_trade_no has lost digits in a spreadsheet: 1.21775E+27",
                          "code is not UTF-8: \\xD6\\xD0; save as UTF-8 (CSV UTF-8), or: iconv -f GB18030 -t UTF-8",
                          "mchid is missing; --merchant-mode partner fits",
                          "out_trade_no begins or ends with blanks: \"3 \"",
                          ""};
  ASSERT_EQ(all.size(), std::size(faults));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].line, i + 2);
    EXPECT_TRUE(contains(all[i].fault, faults[i])) << all[i].fault;
    EXPECT_EQ(all[i].fault.empty(), faults[i][0] == '\0') << all[i].fault;
  }
}

TEST_F(OrderFileTest, SaysWhatIsWrongWithAnObject) {
  const std::string order = "\"card_id\":\"1\",\"code\":\"2\",\"mchid\":\"4\",\"sub_mchid\":\"5\",";
  const auto all = rows("{" + order + "\"out_trade_no\":1217752501201407033233368018,\"bonus_value\":1}\n" +  //
                        "{" + order + "\"out_trade_no\":\"3\",\"bonus_value\":1.5}\n" +                       //
                        "{" + order + "\"out_trade_no\":\"3\",\"bonus_value\":\"1\"}\n" +                     //
                        "{" + order + "\"out_trade_no\":\"3\"}\n" +                                           //
                        "{" + order + "\"out_trade_no\":true,\"bonus_value\":1}\n" +                          //
                        "{" + order + "\"out_trade_no\":\"NULL\",\"bonus_value\":1}\n" +                      //
                        "{" + order + "\"outTradeNo\":\"3\",\"bonus_value\":1}\n" +                           //
                        "{" + order + "\"out_trade_no\":\"\xBB\xE1\",\"bonus_value\":1}\n" +                  //
                        "{" + order + "\"out_trade_no\":\"3\",\"bonus_value\":1},\n" +                        //
                        "{\"orders\":[]}\n" +                                                                 //
                        "{" + order + "\"out_trade_no\":\"3\",\"bonus_value\":1,\"merchant_mode\":\"all\"}\n" + "{" +
                        order + "\"out_trade_no\":\n" +  //
                        "[]\n");
  const char* faults[] = {"out_trade_no must be a string, since numbers lose digits",
                          "bonus_value must be a whole number, not 1.5",
                          "bonus_value must be a whole number, not \"1\"",
                          "bonus_value must be 1 or more",
                          "out_trade_no must be a string",
                          "out_trade_no is NULL, which means no value",
                          "out_trade_no must not be empty (is it outTradeNo?)",
                          "is not UTF-8: save as UTF-8",
                          "is not JSON: it has a comma after its object",
                          "has no member of an order, only: orders",
                          "merchant_mode must be both, direct or partner, not all",
                          "is not a JSON object",
                          "is not a JSON object"};
  ASSERT_EQ(all.size(), std::size(faults));
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(contains(all[i].fault, faults[i])) << all[i].fault;
}

/// Files from shared/cases, and similar ones.
TEST_F(OrderFileTest, FindsWhatSpreadsheetsAndDumpsDoToValuesOfAnyColumn) {
  const std::string semicolons = "card_id;code;out_trade_no;mchid;sub_mchid;bonus_value\n";
  const std::pair<std::string, const char*> files[] = {
      {header + "1,2,'1217,4,5,6\n", "out_trade_no has a mark '"},
      {header + "1,2,`1217,`4,5,6\n", "out_trade_no has a mark `"},
      {header + "1,2,3,`4,5,6\n", "mchid has a mark `"},
      {header + "1,2,\"=\"\"1217\"\"\",4,5,6\n", "out_trade_no is a spreadsheet formula"},
      {header + "1,2,=\"1217\",4,5,6\n", "has a spreadsheet formula"},
      {header + "1,2,3,1230000109.0,5,6\n", "mchid has a decimal point"},
      {semicolons + "1;2;3;1230000109,0;5;6\n", "mchid has a decimal point or comma: 1230000109,0"},
      {semicolons + "1;2;3;4;5;30,0\n", "bonus_value must be a whole number, not 30,0: it has a decimal point"},
      {semicolons + "1;2;1,21775E+27;4;5;6\n", "out_trade_no has lost digits"},
      {header + "1,2,3,4,5,\"1,000\"\n", "bonus_value must be a whole number, not 1,000"},
      {header + "1,2,NULL,4,5,6\n", "out_trade_no is NULL, which means no value"},
      {header + "1,2,3,4,5,\\N\n", "bonus_value must be a whole number, not \\N: it is \\N, which means no"},
      {header + "#N/A,2,3,4,5,6\n", "card_id is a spreadsheet error"},
      {header + "1,2,3\xC2\xA0,4,5,6\n", "out_trade_no begins or ends with blanks: \"3\\xC2\\xA0\""},
      {header + "1,2,3,4,5,6\xC2\xA0\n",
       "bonus_value must be a whole number, not 6\\xC2\\xA0: it begins or ends with blanks"},
      {header + "\xBB\xE1\xD4\xB1,2,3,4,5,6\n", "card_id is not UTF-8"},
      {header + "1,2,3,\xEF\xBC\x91,5,6\n", "mchid has full-width digits"},
      {header + std::string("1,2,3\0,4,5,6\n", 13), "holds NUL bytes"},
  };
  for (const auto& [content, fault] : files) {
    const auto all = rows(content);
    ASSERT_EQ(all.size(), 1U) << content;
    EXPECT_TRUE(contains(all[0].fault, fault)) << all[0].fault;
  }
}

TEST_F(OrderFileTest, PassesOverRowsOfDelimitersAloneAndAForeignColumnInAnotherEncoding) {
  const auto all = rows("\xBF\xA8\xBA\xC5," + header +
                        "\xBB\xE1\xD4\xB1,1,2,3,4,5,6\n,,,,,,\n , ,\xC2\xA0,,,,\n\"\",\"\",,,,,\n,,\n\xC2\xA0\n,,,,,,");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fault, "");
  const auto cut = rows(header + "1,2,3,4,5,6\n,,");
  ASSERT_EQ(cut.size(), 2U);  // it may be the beginning of a row
  EXPECT_TRUE(contains(cut[1].fault, "does not end with a newline"));
}

TEST_F(OrderFileTest, PassesOverASpreadsheetsFirstLineAndHeedsIt) {
  const std::string columns = "card_id;code;out_trade_no;mchid;sub_mchid;bonus_value";
  for (const std::string& first : {std::string("sep=;\r\n"), std::string("\xEF\xBB\xBFSEP=;\n"),
                                   std::string("\"sep=;\"\n"), std::string("sep=;;;;;;\n")}) {
    const auto all = rows(first + columns + "\n1;2;3;4;5;6\n");
    ASSERT_EQ(all.size(), 1U) << first;
    EXPECT_EQ(all[0].fault, "");
    EXPECT_EQ(all[0].request.out_trade_no, "3");
  }
  EXPECT_EQ(rows("sep=,\n" + header + "1,2,3,4,5,6\n").size(), 1U);
}

TEST_F(OrderFileTest, TakesTheDelimiterThatFitsTheHeader) {
  const auto all = rows("why, if at all;card_id;code;out_trade_no;mchid;sub_mchid;bonus_value\n;1;2;3;4;5;6\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fault, "");
  const auto tabs = rows("\tcard_id\tcode\tout_trade_no\tmchid\tsub_mchid\tbonus_value\n\t1\t2\t3\t4\t5\t6\n");
  ASSERT_EQ(tabs.size(), 1U);
  EXPECT_EQ(tabs[0].fault, "");
}

TEST_F(OrderFileTest, PassesOverItsHeaderInTheMiddleAndTakesNoRowUnderAnotherOne) {
  const auto all =
      rows(header + "1,2,3,4,5,6\n" + header + "1,2,4,4,5,6\n" +
           "out_trade_no,code,card_id,mchid,sub_mchid,bonus_value\n3,2,1,4,5,6\n" + header + "1,2,5,4,5,6\n");
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0].fault + all[1].fault + all[4].fault, "");
  EXPECT_TRUE(contains(all[2].fault, "is another header"));
  EXPECT_EQ(all[3].fault, "is below the other header on line 5");
}

TEST_F(OrderFileTest, TakesARowWithThreeNamesOfFieldsForAnotherHeader) {
  const auto all = rows(header + "card_id,code,3,4,5,6\ncard_id,code,out_trade_no,4,5,6\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_TRUE(contains(all[1].fault, "is another header")) << all[1].fault;
}

TEST_F(OrderFileTest, WarnsOfNumbersThatASpreadsheetMayHaveRounded) {
  const auto all = rows(header + "1,2,1217752501201410000000000000,4,5,6\n1,2,1217752501201407033233368018,4,5,6\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_TRUE(contains(all[0].warning, "out_trade_no may have been rounded to 15 digits by a spreadsheet: 1217"));
  EXPECT_EQ(all[1].warning, "");
}

TEST_F(OrderFileTest, RefusesAnObjectWithAMemberTwice) {
  const std::string order = "\"card_id\":\"1\",\"code\":\"2\",\"mchid\":\"4\",\"sub_mchid\":\"5\",\"bonus_value\":1";
  const auto all = rows("{" + order + ",\"out_trade_no\":\"A\",\"out_trade_no\":\"B\"}\n" +        //
                        "{" + order + ",\"out_trade_no\":\"A\",\"out_trade\\u005fno\":\"A\"}\n" +  //
                        "{" + order + ",\"out_trade_no\":\"A\",\"x\":1,\"x\":{\"code\":1}}\n");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].fault, "has the member out_trade_no twice: which one is right?");
  EXPECT_EQ(all[1].fault, "has the member out_trade_no twice: which one is right?");
  EXPECT_EQ(all[2].fault, "");  // duplicates of other members, which are not read
}

TEST_F(OrderFileTest, TakesNullFromTheDefaultsAndPassesOverAnErrorThatIsNoText) {
  BonusCommitRequest defaults;
  defaults.card_id = "C";
  const auto all = rows(
      "{\"card_id\":null,\"code\":\"2\",\"out_trade_no\":\"3\",\"mchid\":\"4\",\"sub_mchid\":\"5\","
      "\"bonus_value\":6,\"error\":null}",
      defaults);
  ASSERT_EQ(all.size(), 1U) << "a JSON object ends itself, so its line needs no end";
  EXPECT_EQ(all[0].fault, "");
  EXPECT_EQ(all[0].request.card_id, "C");
}

TEST_F(OrderFileTest, NamesTheFieldsThatAnEmptyObjectLacks) {
  const auto all = rows("{}\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(contains(all[0].fault, "card_id must not be empty")) << all[0].fault;
  EXPECT_TRUE(contains(all[0].fault, "out_trade_no must not be empty")) << all[0].fault;
}

TEST_F(OrderFileTest, TakesTheMerchantModeOfEachRow) {
  const auto all = rows(
      "card_id,code,out_trade_no,bonus_value,merchant_mode,mchid,sub_mchid\n"
      "1,2,a,6,direct,4,\n1,2,b,6,partner,,5\n1,2,c,6,,4,5\n1,2,d,6,partner,4,\n");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].fault + all[1].fault + all[2].fault, "");
  EXPECT_EQ(all[0].request.merchant_mode, MerchantMode::direct);
  EXPECT_EQ(all[1].request.merchant_mode, MerchantMode::partner);
  EXPECT_EQ(all[2].request.merchant_mode, MerchantMode::both);
  EXPECT_NE(all[3].fault, "") << "it has no sub_mchid";
  EXPECT_EQ(rows("card_id,code,out_trade_no,bonus_value,merchant_mode,mchid\n1,2,3,6,direct,4\n")[0].fault, "");
}

TEST_F(OrderFileTest, RefusesDefaultsThatCannotWork) {
  BonusCommitRequest defaults;
  defaults.mchid = "1230000109.0";
  EXPECT_TRUE(contains(refusal(header, defaults), "--mchid has a decimal point"));
}

TEST_F(OrderFileTest, SwallowsNoRowBehindAQuoteThatIsNotClosed) {
  std::string content = header + "1,\"2,first,4,5,6\n";
  for (int i = 0; i < 300; ++i) content += "1,2,order-" + std::to_string(i) + ",4,5,6\n";
  content += "1,2\",last,4,5,6\n1,2,3,4,5,6\n";
  const auto all = rows(content);
  ASSERT_EQ(all.size(), 303U);
  EXPECT_EQ(all[0].text, "1,\"2,first,4,5,6");
  EXPECT_NE(all[0].fault, "");
  for (std::size_t i = 1; i < 301; ++i) EXPECT_EQ(all[i].request.out_trade_no, "order-" + std::to_string(i - 1));
  EXPECT_NE(all[301].fault, "");
  EXPECT_EQ(all[302].line, 304U);
  EXPECT_EQ(all[302].fault, "");
}

TEST_F(OrderFileTest, ReadsAFieldThatGoesOnForAHundredLinesAndNoLongerOne) {
  const auto with_lines = [this](std::size_t lines) {
    return rows("remark," + header + "\"" + std::string(lines, '\n') + "\",1,2,3,4,5,6\n");
  };
  const auto longest = with_lines(100);
  ASSERT_EQ(longest.size(), 1U);
  EXPECT_EQ(longest[0].fault, "");
  EXPECT_TRUE(contains(with_lines(101).front().fault, "quotes are not closed"));
}

TEST_F(OrderFileTest, ReadsNoFieldThatIsLongerThanALineMayBe) {
  std::string content = "remark," + header + "\"";
  for (int i = 0; i < 20; ++i) content += std::string(5000, 'x') + "\n";
  const auto all = rows(content + "\",1,2,3,4,5,6\n,1,2,3,4,5,6\n");
  ASSERT_EQ(all.size(), 22U);
  EXPECT_TRUE(contains(all[0].fault, "quotes are not closed")) << all[0].fault;
  EXPECT_EQ(all[0].text, "\"" + std::string(5000, 'x'));
  EXPECT_EQ(all[21].fault, "");
}

TEST_F(OrderFileTest, KeepsTheOrderOfRowsBehindTwoQuotesThatAreNotClosed) {
  const auto all = rows(header + "1,\"a,3,4,5,6\n1,b,3,4,5,6\n1,\"c,3,4,5,6,x\"\"\n1,d,3,4,5,6\n1,e,3,4,5,6\n");
  std::string lines;
  for (const OrderRow& row : all) {
    lines += std::to_string(row.line) + (row.fault.empty() ? row.request.code : "?") + " ";
  }
  EXPECT_EQ(lines, "2? 3b 4? 5d 6e ");
}

TEST_F(OrderFileTest, RefusesALineWithoutAnEndAndGoesOnBehindIt) {
  const auto all = rows(header + std::string(200000, 'x') + "\n1,2,3,4,5,6\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(contains(all[0].fault, "longer than 64 KiB"));
  EXPECT_LE(all[0].text.size(), 65536U);
  EXPECT_EQ(all[1].fault, "");
  EXPECT_EQ(all[1].line, 3U);
}

TEST_F(OrderFileTest, TakesWhatARowLeavesOutFromTheDefaults) {
  BonusCommitRequest defaults;
  defaults.card_id = "C";
  defaults.mchid = "7";
  defaults.merchant_mode = MerchantMode::direct;
  const auto all = rows("code,out_trade_no,bonus_value,mchid\n2,3,6,\n2,3,6,4\n", defaults);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_EQ(all[0].request.card_id, "C");
  EXPECT_EQ(all[0].request.mchid, "7");
  EXPECT_EQ(all[1].request.mchid, "4");
}

TEST_F(OrderFileTest, QuotesNoFirstLineThatIsNoHeader) {
  const std::string refused = refusal("hunter2-SECRET\nmore\n");
  EXPECT_TRUE(contains(refused, "; its first line is not a header of orders")) << refused;
  EXPECT_FALSE(contains(refused, "hunter2")) << refused;
}

TEST_F(OrderFileTest, RefusesAHeaderThatCannotWork) {
  EXPECT_TRUE(
      contains(refusal("card_id,code,mchid,sub_mchid,bonus_value\n"), "no column out_trade_no; its header has"));
  EXPECT_TRUE(contains(refusal("card_id,code,out_trade_no,mchid,sub_mchid\n"), "no column bonus_value"));
  EXPECT_TRUE(contains(refusal("code,out_trade_no,mchid,sub_mchid,bonus_value\n"), "--card-id"));
  EXPECT_TRUE(contains(refusal("card_id,code,out_trade_no,sub_mchid,bonus_value\n"), "--merchant-mode partner"));
  EXPECT_TRUE(contains(refusal("card_id,code,out_trade_no,mchid,bonus_value\n"), "--merchant-mode direct"));
  const std::string several = refusal("\"Card ID\",mchid,submchid\n");
  EXPECT_TRUE(contains(several,
                       "there are no columns card_id: is it Card ID? (or --card-id for all rows), code, "
                       "out_trade_no, sub_mchid: is it submchid?"))
      << several;
  EXPECT_TRUE(contains(several, ", bonus_value; its header has: Card ID, mchid, submchid")) << several;
  EXPECT_TRUE(
      contains(refusal("\xE4\xBC\x9A\xE5\x91\x98\xE5\x8D\xA1\xE5\x8F\xB7,card_id,mchid,sub_mchid,"
                       "bonus_value,\xE5\x95\x86\xE6\x88\xB7\xE8\xAE\xA2\xE5\x8D\x95\xE5\x8F\xB7\n"),
               "no columns code: is it \xE4\xBC\x9A\xE5\x91\x98\xE5\x8D\xA1\xE5\x8F\xB7?, out_trade_no: is it \xE5"));
  EXPECT_TRUE(contains(refusal("card_id|code|out_trade_no|mchid|sub_mchid|bonus_value\n"), "\"|\" separates them"));
  EXPECT_TRUE(contains(refusal("card_id\xEF\xBC\x8C"
                               "code\n"),
                       "\"\xEF\xBC\x8C\" separates them"));
  EXPECT_TRUE(contains(refusal("card_id,code\r1,2\r"), "lines end with CR only"));
  EXPECT_TRUE(contains(refusal("card_id,code,out_trade_no,mchid,sub_mchid,bonus_value,note\r1,2,3,4,5,6,\r"),
                       "lines end with CR only"));
  EXPECT_TRUE(contains(refusal("\xBF\xA8\xBA\xC5,card_id,mchid\n"), "it is not UTF-8: save as UTF-8"));
  EXPECT_TRUE(contains(refusal("sep=|\ncard_id|code|out_trade_no|mchid|sub_mchid|bonus_value\n"), "announces \"|\""));
  EXPECT_TRUE(contains(refusal("sep=;\n"), "has no header"));
  for (const char* first : {"sep=\n", "sep=;why\n", "sep=;\nfoo,bar\n"}) {
    EXPECT_TRUE(contains(refusal(first + header), "its first line is not a header of orders")) << first;
  }
  EXPECT_TRUE(contains(refusal("code,code,card_id,out_trade_no,mchid,sub_mchid,bonus_value\n"), "code is there twice"));
  EXPECT_TRUE(contains(refusal("\"card_id,code\n"), "quotes in its header"));
}

TEST_F(OrderFileTest, RefusesAColumnOrMemberThatIsNearlyAFieldWhateverTheDefaults) {
  BonusCommitRequest defaults;
  defaults.card_id = "1";
  defaults.mchid = "4";
  defaults.sub_mchid = "5";
  for (const auto& [name, field] : {std::pair<std::string, std::string>{"MCHID", "mchid"},
                                    {"Mch ID", "mchid"},
                                    {"mchid\\", "mchid"},
                                    {"\u5546\u6237\u53F7", "mchid"},
                                    {"subMchid", "sub_mchid"},
                                    {"\u5B50\u5546\u6237\u53F7", "sub_mchid"},
                                    {"Card-ID", "card_id"},
                                    {"merchantMode", "merchant_mode"},
                                    {"\u5546\u6237\u6A21\u5F0F", "merchant_mode"}}) {
    const std::string said = "column " + name + " is not read: is it " + field + "?";
    EXPECT_TRUE(contains(refusal("code,out_trade_no,bonus_value," + name + "\n2,3,6,7\n", defaults), said))
        << refusal("code,out_trade_no,bonus_value," + name + "\n2,3,6,7\n", defaults);
  }
  for (const auto& [name, field] : {std::pair<std::string, std::string>{"MCHID", "mchid"},
                                    {"merchant_mode ", "merchant_mode"},
                                    {"merchantMode", "merchant_mode"},
                                    {"\u5546\u6237\u53F7", "mchid"}}) {
    const auto all =
        rows("{\"code\":\"2\",\"out_trade_no\":\"3\",\"bonus_value\":6,\"" + name + "\":\"7\"}\n", defaults);
    EXPECT_EQ(all[0].fault, "member " + name + " is not read: is it " + field + "?");
  }
  EXPECT_EQ(refusal("code,out_trade_no,bonus_value,mchid,sub_mchid,MCHID,remark,mobile\n", defaults), "");
  EXPECT_EQ(
      rows("{\"code\":\"2\",\"out_trade_no\":\"3\",\"bonus_value\":6,\"mchid\":\" \",\"MCHID\":\"7\"}\n", defaults)[0]
          .fault,
      "member MCHID is not read: is it mchid?");
  EXPECT_EQ(
      rows("{\"code\":\"2\",\"out_trade_no\":\"3\",\"bonus_value\":6,\"mode\":1,\"mchid\":\"4\",\"MCHID\":\"7\"}\n",
           defaults)[0]
          .fault,
      "");
}

TEST_F(OrderFileTest, TakesABlankCellFromTheDefaults) {
  BonusCommitRequest defaults;
  defaults.mchid = "7";
  for (const char* blank : {"", "  ", "\u00A0", "\"  \"", "\t", "\u3000"}) {
    const auto all = rows(header + "1,2,3," + blank + ",5,6\n", defaults);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].fault, "") << blank;
    EXPECT_EQ(all[0].request.mchid, "7") << blank;
  }
  EXPECT_TRUE(contains(rows(header + "1,2,  ,4,5,6\n")[0].fault, "out_trade_no must not be empty"));
}

TEST_F(OrderFileTest, ReadsNoColumnOfAnotherNameHoweverLongOrLikeASpreadsheetsFirstLine) {
  const std::string longest = std::string(100, 'x') + "mchid";
  const auto all = rows("sep," + longest + "," + header + "=,x,1,2,3,4,5,6\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].fault, "");
  BonusCommitRequest defaults;
  defaults.mchid = "7";
  EXPECT_EQ(refusal("card_id,code,out_trade_no,sub_mchid,bonus_value," + longest + "\n", defaults), "");
}

TEST_F(OrderFileTest, PassesOverBlankRowsBeforeTheHeader) {
  const std::string columns = "card_id;code;out_trade_no;mchid;sub_mchid;bonus_value\n1;2;3;4;5;6\n";
  for (const char* begin : {";;;;;\n", "\u00A0; ;\n\n", "\"\";\"\"\n", "sep=;\n;;;;\n", "sep=;\n\n \n", ";;;\nsep=;\n",
                            "sep = ;\n", "\"sep = ;\"\n", " sep=; \n", ",,,,\n", "\t\t\t\n"}) {
    const auto file = open(begin + columns);
    ASSERT_TRUE(file) << begin << file.error().message;
    const auto all = rows(begin + columns);
    ASSERT_EQ(all.size(), 1U) << begin;
    EXPECT_EQ(all[0].fault, "") << begin;
  }
  EXPECT_EQ(rows("sep=\t\ncard_id\tcode\tout_trade_no\tmchid\tsub_mchid\tbonus_value\n1\t2\t3\t4\t5\t6\n").size(), 1U);
}

TEST_F(OrderFileTest, NamesAnAnnouncedDelimiterThatTheHeaderContradicts) {
  const std::string said = refusal("sep=;\n" + header + "1,2,3,4,5,6\n");
  EXPECT_TRUE(contains(said, "first line announces \";\" between columns, but its header has \",\"")) << said;
}

TEST_F(OrderFileTest, NamesWhatALineThatIsNoJsonIs) {
  const auto all = rows(
      "{\"code\":\"2\"}\n{\"bonus_value\":NaN}\n{\"bonus_value\":-Infinity}\n{\"mchid\":None}\n{'code': '2', 'x': "
      "None}\n"
      "{\"code\":\"2\"},\n// comment\n# comment\n{\"code\":\"2\"} // "
      "why\n{\"code\":\"2\"};\n{\"a\":True}\n{\"a\":undefined}\n{\"a\":1,}\n/* x */\n");
  const char* faults[] = {"",
                          "NaN",
                          "Infinity",
                          "None",
                          "single quotes",
                          "comma after its object",
                          "comment",
                          "comment",
                          "comment",
                          "\";\" after its object",
                          "True",
                          "undefined",
                          "comma before its last",
                          "comment"};
  ASSERT_EQ(all.size(), std::size(faults));
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_TRUE(contains(all[i].fault, faults[i])) << all[i].fault;
    EXPECT_FALSE(contains(all[i].fault, "jq -c")) << all[i].fault;
  }
}

TEST_F(OrderFileTest, SaysHowToWriteObjectsWhereItDoesNotKnowWhatALineIs) {
  for (const char* text : {"{\"a\":yes}", "{\"a\":yes,", "yes # no", "yes"}) {
    const auto all = rows("{\"code\":\"2\"}\n" + std::string(text) + "\n");
    ASSERT_EQ(all.size(), 2U);
    EXPECT_TRUE(contains(all[1].fault, "is not a JSON object: write one object per line")) << all[1].fault;
  }
}

TEST_F(OrderFileTest, NamesWhatIsWrongWithTheFirstObjectAsWithAnyOther) {
  const auto all = rows("{\"code\":\"2\"},\n{\"code\":\"2\"},\n");
  ASSERT_EQ(all.size(), 2U);
  for (const OrderRow& row : all) EXPECT_TRUE(contains(row.fault, "a comma after its object")) << row.fault;
}

TEST_F(OrderFileTest, RefusesWhatIsNoFileOfOrders) {
  EXPECT_TRUE(contains(refusal(""), "is empty"));
  EXPECT_TRUE(contains(refusal("\xEF\xBB\xBF"), "is empty"));
  EXPECT_TRUE(contains(refusal(" [{}]"), "is a JSON array"));
  for (const char* pretty : {"{\n  \"card_id\": \"1\"\n}\n", "\xEF\xBB\xBF{\n",
                             "{\"card_id\": \"1\",\n\"code\": \"2\"}\n", "{ \"orders\": [\n", "{\"orders\":\n[]}\n"}) {
    EXPECT_TRUE(contains(refusal(pretty), "one object per line: jq -c .")) << pretty;
  }
  EXPECT_TRUE(contains(refusal("\xD0\xCF\x11\xE0"), "a workbook"));
  EXPECT_TRUE(contains(refusal("<html>"), "is HTML"));
  EXPECT_TRUE(contains(refusal("\xFE\xFF"
                               "c"),
                       "UTF-16"));
  EXPECT_TRUE(contains(refusal(std::string("c\0o\0", 4)), "UTF-16"));
  EXPECT_TRUE(contains(refusal("-----BEGIN PRIVATE KEY-----\n"), "is a key or a certificate"));
  EXPECT_TRUE(contains(refusal("PK\x03\x04 and so on"), "a workbook or an archive"));
  EXPECT_TRUE(contains(refusal("\x1F\x8B and so on"), "compressed"));
  EXPECT_TRUE(contains(refusal("\xFF\xFE"
                               "c"),
                       "UTF-16"));
  const auto missing = OrderFile::open("/none.csv", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "/none.csv: cannot be opened: No such file or directory");
  const auto key = OrderFile::open("-----BEGIN PRIVATE KEY-----\nMIIE", {});
  ASSERT_FALSE(key);
  EXPECT_TRUE(contains(key.error().message, "FILE is the key itself")) << key.error().message;
  EXPECT_FALSE(contains(key.error().message, "MII")) << key.error().message;
  const auto folder = OrderFile::open("/", {});
  ASSERT_FALSE(folder);
  EXPECT_TRUE(contains(folder.error().message, "/: cannot be read"));
}

/// While it exists, standard input is the reading end of a pipe.
class PipedInput {
 public:
  PipedInput() : before_(::dup(STDIN_FILENO)) {
    if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
    ::dup2(ends_[0], STDIN_FILENO);
  }
  PipedInput(const PipedInput&) = delete;
  PipedInput& operator=(const PipedInput&) = delete;
  ~PipedInput() {
    end();
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
    ::close(ends_[0]);
  }

  void write(const std::string& text) {
    ASSERT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int before_;
  int ends_[2];
};

TEST_F(OrderFileTest, DoesNotBelieveALastLineWithoutAnEnd) {
  const std::string cut = header + "1,2,3,4,5,6\n1,2,4,4,5,3";  // may be the beginning of 30
  const auto all = rows(cut);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fault, "");
  EXPECT_TRUE(contains(all[1].fault, "does not end with a newline")) << all[1].fault;
  EXPECT_TRUE(contains(rows(header + "1,\"2").at(0).fault, "does not end with a newline")) << "in a quoted field";

  PipedInput input;
  input.write(cut);
  input.end();
  OrderFile file = OrderFile::open("-", {}).value();
  EXPECT_EQ(file.next()->fault, "");
  EXPECT_TRUE(contains(file.next()->fault, "if standard input is complete"));
  EXPECT_FALSE(file.next());
}

TEST_F(OrderFileTest, SaysThatItCannotReadOnAndTakesNoLineThatWasCutOff) {
  const FailingInput input(header + "1,2,3,4,5,6\n1,2,4,4,5,3");
  OrderFile file = OrderFile::open("-", {}).value();
  EXPECT_EQ(file.next()->request.out_trade_no, "3");
  EXPECT_FALSE(file.next());
  EXPECT_EQ(file.error(), "standard input: cannot be read: Connection reset by peer");
}

TEST_F(OrderFileTest, EndsItsWaitingForStandardInputWhenItIsWoken) {
  int wake[2];
  ASSERT_EQ(::pipe(wake), 0);
  PipedInput input;
  input.write(header + "1,2,3,4,5,6\n1,\"2,4,4,5,3\n");  // in the middle of a quoted field
  OrderFile file = OrderFile::open("-", {}, wake[0]).value();
  EXPECT_EQ(file.next()->request.out_trade_no, "3");
  ASSERT_EQ(::write(wake[1], "", 1), 1);
  EXPECT_FALSE(file.next());
  EXPECT_EQ(file.error(), "");
  ::close(wake[0]);
  ::close(wake[1]);
}

TEST_F(OrderFileTest, WritesRowsThatItReadsAgain) {
  const std::string error = "unknown: \"no answer\", line\nbroken";
  const std::string row = "1,2,\"3\",4,5,6";
  const OrderFile file = open(header + row + "\n").value();
  const std::string first = file.header_with_error() + "\n" + file.with_error(row, error) + "\n";
  const OrderFile again = open(first).value();
  const std::string second = again.header_with_error() + "\n" + again.with_error(rows(first)[0].text, "other") + "\n";
  for (const std::string& content : {first, second}) {
    ASSERT_EQ(rows(content).size(), 1U) << content;
    EXPECT_EQ(rows(content)[0].fault, "") << content;
    EXPECT_EQ(rows(content)[0].request.out_trade_no, "3");
  }
  EXPECT_EQ(split_csv(rows(first)[0].text, ',').value().back(), error);
  EXPECT_EQ(split_csv(rows(second)[0].text, ',').value().back(), "other");
  EXPECT_EQ(split_csv(rows(second)[0].text, ',').value().size(), 7U);
  EXPECT_EQ(again.with_error("1,2,3,4,5,6", "other"), "1,2,3,4,5,6") << "it has no field for the error";

  const OrderFile json = open("{\"code\":\"2\"}").value();
  EXPECT_EQ(json.header_with_error(), "");
  EXPECT_EQ(json.with_error("{\"code\":\"2\",\"a\":1}", "why"), "{\"code\":\"2\",\"a\":1,\"error\":\"why\"}");
  EXPECT_EQ(json.with_error("{\"code\":", "why"), "{\"code\":");
  EXPECT_EQ(json.with_error("{ }", "why"), "{ \"error\":\"why\"}");
  EXPECT_EQ(json.with_error("{\"a\":{\"b\":1,\"error\":\"x\"}} ", "y"),
            "{\"a\":{\"b\":1,\"error\":\"x\"},\"error\":\"y\"} ");
  EXPECT_EQ(json.with_error("{\"a\":1,\"error\":\"x\"}", "y"), "{\"a\":1,\"error\":\"y\"}");
}

TEST_F(OrderFileTest, KeepsEachByteOfAnObjectThatIsNoOrder) {
  const OrderFile json = open("{\"code\":\"2\"}").value();
  for (const std::string body :
       {"\"bonus_value\":30,\"bonus_value\":300", "\"out_trade_no\":1217752501201407033233368018"}) {
    EXPECT_EQ(json.with_error("{" + body + "}", "why"), "{" + body + ",\"error\":\"why\"}");
  }
}

TEST_F(OrderFileTest, TakesNoRowThatWasNoOrderBeforeItsErrorIsEmptied) {
  const std::string reason = std::string(not_an_order) + "which one is right?";
  const std::string advice =
      "was rejected by an earlier run: correct the row, then clear its error field (which one is right?)";
  const std::string object =
      "{\"card_id\":\"1\",\"code\":\"2\",\"out_trade_no\":\"3\",\"mchid\":\"4\",\"sub_mchid\":\"5\",\"bonus_value\":6}";
  for (const auto& [head, row] : {std::pair<std::string, std::string>{header, "1,2,3,4,5,6"}, {"", object}}) {
    const OrderFile file = open(head + row + "\n").value();
    const std::string begin = head.empty() ? "" : file.header_with_error() + "\n";
    const std::string failed = file.with_error(row, reason);
    const auto again = rows(begin + failed + "\n");
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].fault, advice);
    const auto third = rows(begin + file.with_error(row, std::string(not_an_order) + again[0].fault) + "\n");
    EXPECT_EQ(third[0].fault, advice);
    EXPECT_EQ(rows(begin + file.with_error(row, "") + "\n")[0].fault, "");
    EXPECT_EQ(rows(begin + file.with_error(row, "unknown: not an order: x") + "\n")[0].fault, "");
  }
}

TEST_F(OrderFileTest, MakesNoOrderOfARowThatCannotBeRead) {
  const OrderFile file = open(header).value();
  const std::string why = std::string(not_an_order) + "has 7 fields, \"the\" header 6";
  for (const char* row : {"1,2,3,4,5,6,7", "1,2,3,4,5", "1,\"2,3,4,5,6", "1,2,3,4,5,\"6", "1,2\",3,4,5,6"}) {
    const auto all = rows(file.header_with_error() + "\n" + file.with_error(row, why) + "\n,\",3,4,5,6,\n");
    ASSERT_EQ(all.size(), 2U) << row;
    EXPECT_NE(all[0].fault, "") << row;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool

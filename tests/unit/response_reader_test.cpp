// Header lines in the forms in which they arrive, and the values that are stored.
#include "src/curl/response_reader.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace wechatpay::bonus_commit::curl {

namespace {

HttpHeaders read(std::initializer_list<const char*> lines) {
  ResponseReader reader;
  for (const char* line : lines) EXPECT_TRUE(reader.add_header_line(line));
  EXPECT_TRUE(reader.headers_whole());
  return reader.take().headers;
}

TEST(ResponseReader, TrimsWhiteSpaceAroundAValue) {
  const auto headers = read({"HTTP/1.1 204 No Content\r\n", "A:\t one \r\n", "B:\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].name, "A");
  EXPECT_EQ(headers[0].value, "one");
  EXPECT_EQ(headers[1].value, "");
}

TEST(ResponseReader, JoinsAFoldedHeader) {
  const auto headers = read({"HTTP/1.1 204 No Content\r\n", "A: one\r\n", "  two\r\n", "\tthree \r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers[0].value, "one two three");
}

TEST(ResponseReader, LeavesNoBlankBeforeAValueThatStandsOnTheSecondLine) {
  const auto headers = read({"HTTP/1.1 204 No Content\r\n", "Wechatpay-Serial:\r\n", " PUB_KEY_ID_1\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers[0].value, "PUB_KEY_ID_1");
}

TEST(ResponseReader, TakesAFoldedBlankLineForNoEnd) {
  const auto headers = read({"HTTP/1.1 204 No Content\r\n", "A: one\r\n", " \r\n", "B: two\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].value, "one");
  EXPECT_EQ(headers[1].value, "two");
}

TEST(ResponseReader, FoldsALineOnlyIntoTheHeaderBeforeIt) {
  const auto headers = read(
      {"HTTP/1.1 204 No Content\r\n", " of nothing\r\n", "A: one\r\n", "no header\r\n", " of no header\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers[0].value, "one");
}

TEST(ResponseReader, KeepsTheHeadersBeforeALineThatLooksLikeAStatus) {
  const auto headers =
      read({"HTTP/1.1 204 No Content\r\n", "A: one\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/x: y\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].value, "one");
  EXPECT_EQ(headers[1].name, "HTTP/x");
}

TEST(ResponseReader, ForgetsInterimAnswers) {
  for (const char* version : {"HTTP/1.1", "HTTP/2"}) {
    const std::string first = std::string(version) + " 103 Early Hints\r\n";
    const std::string last = std::string(version) + " 204\r\n";
    const auto headers = read({first.c_str(), "A: hint\r\n", "\r\n", first.c_str(), "A: hint\r\n", "\r\n", last.c_str(),
                               "A: one\r\n", "\r\n"});
    ASSERT_EQ(headers.size(), 1U);
    EXPECT_EQ(headers[0].value, "one");
  }
}

TEST(ResponseReader, KeepsNoTrailers) {
  const auto headers = read(
      {"HTTP/1.1 200 OK\r\n", "A: one\r\n", "\r\n", "A: trailer\r\n", "HTTP/1.1 200 OK\r\n", "A: another\r\n", "\r\n"});
  ASSERT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers[0].value, "one");
}

TEST(ResponseReader, KnowsWhetherTheHeadersHaveComeToTheirEnd) {
  ResponseReader reader;
  EXPECT_FALSE(reader.headers_whole());
  reader.add_header_line("HTTP/1.1 204 No Content\r\n");
  reader.add_header_line("A: one\r\n");
  EXPECT_FALSE(reader.headers_whole());
  reader.add_header_line("\r\n");
  EXPECT_TRUE(reader.headers_whole());
}

TEST(ResponseReader, TakesNoMoreThanItMay) {
  ResponseReader reader;
  EXPECT_TRUE(reader.add_header_line("HTTP/1.1 204 No Content\r\n"));
  const std::string line = "A: " + std::string(1000, 'x') + "\r\n";
  int lines = 0;
  while (reader.add_header_line(line)) ++lines;
  EXPECT_EQ(lines, 65);
  EXPECT_TRUE(reader.add_body(std::string(1U << 20U, 'x')));
  EXPECT_FALSE(reader.add_body("x"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit::curl

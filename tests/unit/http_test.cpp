#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/stages/retry_after.hpp"

#include <gtest/gtest.h>

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

TEST(HeaderValues, FindsEveryOccurrenceWithoutRegardToCase) {
  const HttpHeaders headers = {{"request-id", "1"}, {"Other", "x"}, {"REQUEST-ID", "2"}};
  const auto values = header_values(headers, "Request-ID");
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0], "1");
  EXPECT_EQ(values[1], "2");
  EXPECT_EQ(header_value(headers, "Request-Id"), "1");
  EXPECT_EQ(header_value(headers, "Request"), "");
}

TEST(HttpRequest, IsTheSameByteForByte) {
  const HttpRequest request{"POST", "https://a", "/v3/a", {{"Accept", "*/*"}, {"X", "1"}}, "{}"};
  EXPECT_EQ(request, HttpRequest(request));
  for (std::string HttpRequest::*part :
       {&HttpRequest::method, &HttpRequest::origin, &HttpRequest::path, &HttpRequest::body}) {
    HttpRequest other = request;
    other.*part += " ";
    EXPECT_NE(request, other);
  }
  HttpRequest other = request;
  other.headers[0].name = "accept";
  EXPECT_NE(request, other);
  other = request;
  other.headers[1].value = "2";
  EXPECT_NE(request, other);
  other = request;
  std::swap(other.headers[0], other.headers[1]);
  EXPECT_NE(request, other);
}

TEST(SameToken, ComparesLettersWithoutRegardToCaseAndNothingElse) {
  EXPECT_TRUE(same_token("Content-Type", "content-type"));
  EXPECT_FALSE(same_token("Content-Type", "content_type"));
  EXPECT_FALSE(same_token("a", "aa"));
  EXPECT_FALSE(same_token("@", "`"));
}

TEST(ParseHttpDate, ReadsAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:60 GMT"), 1709251200);
  EXPECT_EQ(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799);
}

TEST(ParseHttpDate, ReadsNothingElse) {
  for (const char* text :
       {"", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 GMT x",
        "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1969 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "1994"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT" + std::string(100, ' ')), std::nullopt);
}

TEST(ParseHttpDate, GuessesAtNoDateThatIsIncompleteOrMisspelt) {
  for (const char* text :
       {"Thu, 29 Feb 20243:59:60 GMT", "Sun,06Nov1994 8:49:37GMT", "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov--4 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
        "Sun, 06 Nov 994 08:49:37 GMT", ", 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(ParseHttpDate, TakesTwoDigitsOfAYearForOneFrom1970To2069) {
  EXPECT_EQ(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT"), 0);
  EXPECT_EQ(parse_http_date("Tuesday, 31-Dec-69 23:59:59 GMT"), 3155759999);
}

TEST(ParseHttpDate, ReadsTheFirstAndTheLastOfEachPart) {
  EXPECT_EQ(parse_http_date("Sat, 01 Jan 2000 00:00:00 GMT"), 946684800);
  EXPECT_EQ(parse_http_date("Sun, 31 Dec 2000 23:59:60 GMT"), 978307200);
  EXPECT_EQ(parse_http_date("aZz, 01 Jan 2000 00:00:00 GMT"), 946684800) << "the weekday is not looked at";
  EXPECT_EQ(parse_http_date("Sa, 01 Jan 2000 00:00:00 GMT"), std::nullopt);
  const struct {
    const char* month;
    int last_day;
  } months[] = {{"Jan", 31}, {"Feb", 28}, {"Mar", 31}, {"Apr", 30}, {"May", 31}, {"Jun", 30},
                {"Jul", 31}, {"Aug", 31}, {"Sep", 30}, {"Oct", 31}, {"Nov", 30}, {"Dec", 31}};
  for (const auto& [month, last_day] : months) {
    const auto date = [name = std::string(month)](int day) {
      return parse_http_date("Sun, " + std::to_string(day) + " " + name + " 2023 00:00:00 GMT");
    };
    EXPECT_TRUE(date(last_day)) << month;
    EXPECT_FALSE(date(last_day + 1)) << month;
  }
}

TEST(ParseHttpDate, KnowsHowLongMonthsAre) {
  EXPECT_EQ(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
  for (const char* text : {"Mon, 29 Feb 2100 00:00:00 GMT", "Wed, 29 Feb 2023 00:00:00 GMT",
                           "Fri, 30 Feb 2024 00:00:00 GMT", "Mon, 31 Apr 2023 00:00:00 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(ParseRetryAfter, ReadsSecondsAndDates) {
  const std::chrono::system_clock::time_point now{std::chrono::seconds(784111777)};
  const struct {
    const char* text;
    std::int64_t seconds;
  } cases[] = {
      {"0", 0},
      {"120", 120},
      {"007", 7},
      {"86401", 86400},
      {"99999999999999999999999999", 86400},
      {"Sun, 06 Nov 1994 08:49:47 GMT", 10},
      {"Sun, 06 Nov 1994 08:49:27 GMT", 0},
      {"Fri, 31 Dec 9999 23:59:59 GMT", 86400},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(parse_retry_after(each.text, now), std::chrono::seconds(each.seconds)) << each.text;
  }
  for (const char* text : {"", "-1", "+1", "1.5", "1 ", " 1", "1s", "soon", "0x10", "1e3"}) {
    EXPECT_EQ(parse_retry_after(text, now), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

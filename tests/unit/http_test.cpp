#include "wechatpay/bonus_commit/http.hpp"

#include <gtest/gtest.h>

namespace wechatpay {
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

TEST(SameToken, ComparesLettersWithoutRegardToCaseAndNothingElse) {
  EXPECT_TRUE(same_token("Content-Type", "content-type"));
  EXPECT_FALSE(same_token("Content-Type", "content_type"));
  EXPECT_FALSE(same_token("a", "aa"));
  EXPECT_FALSE(same_token("@", "`"));
}

}  // namespace
}  // namespace wechatpay

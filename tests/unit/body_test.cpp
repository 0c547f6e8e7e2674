#include "wechatpay/bonus_commit/stages/body.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

TEST(Serialize, GivesTheSeedsBodyByteForByte) { EXPECT_EQ(serialize(seed_request()).value(), seed_body); }

TEST(Serialize, LeavesOutTheIdThatTheModeForbids) {
  BonusCommitRequest request = seed_request();
  request.merchant_mode = MerchantMode::direct;
  EXPECT_EQ(serialize(request).value(),
            R"({"out_trade_no":"1217752501201407033233368018","mchid":"1230000109","bonus_value":30})");
  request.merchant_mode = MerchantMode::partner;
  EXPECT_EQ(serialize(request).value(),
            R"({"out_trade_no":"1217752501201407033233368018","sub_mchid":"1900000109","bonus_value":30})");
}

TEST(Serialize, KeepsNonAsciiAndEscapesWhatJsonMust) {
  BonusCommitRequest request = seed_request();
  request.out_trade_no = "订单\"\\/é";
  EXPECT_TRUE(contains(serialize(request).value(), R"({"out_trade_no":"订单\"\\/é","mchid":)"));
}

TEST(Serialize, EscapesEachCharacterThatJsonMustAndNoOther) {
  BonusCommitRequest request = seed_request();
  const auto written = [&request](const std::string& text) {
    request.out_trade_no = text;
    const std::string body = serialize(request).value();
    return body.substr(17, body.find(",\"mchid\"") - 18);
  };
  EXPECT_EQ(written("a\"b"), "a\\\"b");
  EXPECT_EQ(written("a\\b"), "a\\\\b");
  EXPECT_EQ(written("a\x1F"), "a\\u001f");
  EXPECT_EQ(written("\x01"), "\\u0001");
  for (char c = ' '; c <= '~'; ++c) {
    if (c != '"' && c != '\\') {
      EXPECT_EQ(written({c}), std::string(1, c));
    }
  }
}

TEST(Serialize, KeepsTheLargestInteger) {
  BonusCommitRequest request = seed_request();
  request.bonus_value = (std::numeric_limits<std::int64_t>::max)();
  EXPECT_TRUE(contains(serialize(request).value(), ":9223372036854775807}"));
}

TEST(Serialize, RefusesInvalidUtf8WithTheFieldsName) {
  BonusCommitRequest request = seed_request();
  request.out_trade_no += "\xFF";
  const auto body = serialize(request);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().kind, ErrorKind::invalid_request);
  EXPECT_TRUE(contains(body.error().message, "/out_trade_no")) << body.error().message;
}

// Each call keeps both while it waits.
TEST(Serialize, TakesHardlyMoreMemoryThanTheBody) {
  const std::string body = serialize(seed_request()).value();
  EXPECT_LT(body.capacity(), body.size() + 32);
}

TEST(RequestPath, TakesHardlyMoreMemoryThanThePath) {
  const std::string path = request_path(seed_request());
  EXPECT_LT(path.capacity(), path.size() + 32);
}

TEST(RequestPath, IsTheSeedsPath) { EXPECT_EQ(request_path(seed_request()), seed_path); }

TEST(RequestPath, EncodesAllButTheUnreservedCharacters) {
  BonusCommitRequest request = seed_request();
  request.card_id = "a/b?c#d%e f+g";
  request.code = "中A-._~";
  EXPECT_EQ(request_path(request),
            "/v3/marketing/membercard-open/cards/a%2Fb%3Fc%23d%25e%20f%2Bg/codes/%E4%B8%ADA-._~/bonus/commit");
}

}  // namespace
}  // namespace wechatpay::bonus_commit

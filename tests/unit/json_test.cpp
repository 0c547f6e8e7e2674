#include "wechatpay/bonus_commit/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

namespace {

using nlohmann::json;

void expect_equal(const BonusCommitRequest& a, const BonusCommitRequest& b) {
  EXPECT_EQ(a.card_id, b.card_id);
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.out_trade_no, b.out_trade_no);
  EXPECT_EQ(a.mchid, b.mchid);
  EXPECT_EQ(a.sub_mchid, b.sub_mchid);
  EXPECT_EQ(a.bonus_value, b.bonus_value);
  EXPECT_EQ(a.merchant_mode, b.merchant_mode);
}

TEST(Json, WritesEveryFieldInOrder) {
  const nlohmann::ordered_json written = seed_request();
  EXPECT_EQ(written.dump(),
            R"({"card_id":"478515832665","code":"478515832665","out_trade_no":"1217752501201407033233368018",)"
            R"("mchid":"1230000109","sub_mchid":"1900000109","bonus_value":30,"merchant_mode":"both"})");
}

TEST(Json, ReadsBackWhatItWroteInEveryMode) {
  for (const MerchantMode mode : {MerchantMode::both, MerchantMode::direct, MerchantMode::partner}) {
    BonusCommitRequest request = seed_request();
    request.merchant_mode = mode;
    if (mode == MerchantMode::direct) request.sub_mchid.clear();
    if (mode == MerchantMode::partner) request.mchid.clear();
    const json written = request;
    expect_equal(written.get<BonusCommitRequest>(), request);
  }
}

TEST(Json, DoesNotGuessTheModeFromTheIds) {
  json order = seed_request();
  order.erase("sub_mchid");
  order.erase("merchant_mode");
  EXPECT_EQ(order.get<BonusCommitRequest>().merchant_mode, MerchantMode::both);
}

TEST(Json, RefusesNumbersThatWouldChange) {
  for (const char* value : {"30.5", "9223372036854775808", "1e3", "\"30\"", "true", "null"}) {
    json order = seed_request();
    order["bonus_value"] = json::parse(value);
    EXPECT_THROW(static_cast<void>(order.get<BonusCommitRequest>()), std::invalid_argument) << value;
  }
}

TEST(Json, RefusesAnUnknownMode) {
  json order = seed_request();
  order["merchant_mode"] = "Direct";
  EXPECT_THROW(static_cast<void>(order.get<BonusCommitRequest>()), std::invalid_argument);
}

TEST(Json, RefusesAMissingKeyAndAWrongType) {
  json order = seed_request();
  order.erase("code");
  EXPECT_THROW(static_cast<void>(order.get<BonusCommitRequest>()), json::out_of_range);
  order = seed_request();
  order["card_id"] = 478515832665;
  EXPECT_THROW(static_cast<void>(order.get<BonusCommitRequest>()), json::type_error);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// Tests of a merchant's code, with a client whose requests a fake WeChat Pay answers. Requests are signed and answers
// are verified as in production. The tests need no key files and no network, and never sleep.
#include "points_service.hpp"

#include <gtest/gtest.h>
#include <wechatpay/bonus_commit/testing/client_fixture.hpp>

struct PointsServiceTest : ::testing::Test {
  PointsServiceTest() {
    order.card_id = "478515832665";
    order.code = "478515832665";
    order.out_trade_no = "1217752501201407033233368018";
    order.bonus_value = 30;
  }

  Step step() const { return after(service.credit(order), 0).step; }
  void refuse_all(int status, const std::string& code, const std::string& message) {
    transport.otherwise([this, status, code, message](const bonus::HttpRequest& request) {
      return wechat_pay.error(status, code, message, request);
    });
  }

  // If nothing is scripted, the fake WeChat Pay answers: it verifies the signature, and signs a 204 or a refusal.
  const bonus::testing::ClientFixture fixture;
  bonus::testing::FakeWechatPay& wechat_pay = fixture.wechat_pay();
  bonus::testing::MockTransport& transport = fixture.transport();
  const PointsService service{fixture.client(), wechat_pay.credentials().mchid()};
  bonus::BonusCommitRequest order;
};

TEST_F(PointsServiceTest, CreditsAnOrder) {
  EXPECT_EQ(step(), Step::finish);
  EXPECT_EQ(wechat_pay.times_committed(order.out_trade_no), 1U);
}

TEST_F(PointsServiceTest, SendsOnlyTheMerchantId) {
  EXPECT_TRUE(service.credit(order));
  EXPECT_EQ(transport.requests().at(0).body,
            R"({"out_trade_no":"1217752501201407033233368018","mchid":"1900000001","bonus_value":30})");
}

TEST_F(PointsServiceTest, RetriesLaterWithLongerPausesAndThenAsksAPerson) {
  transport.otherwise([](const bonus::HttpRequest&) {
    return bonus::transport_error(bonus::TransportFault::timeout, bonus::Outcome::unknown, "no answer in time");
  });
  const bonus::CommitResult result = service.credit(order);
  EXPECT_EQ(after(result, 0).step, Step::retry_later);
  EXPECT_EQ(after(result, 0).pause, std::chrono::seconds(5));
  EXPECT_EQ(after(result, 1).pause, std::chrono::seconds(10));
  EXPECT_EQ(after(result, 79).pause, std::chrono::hours(1));
  EXPECT_EQ(after(result, 80).step, Step::ask_a_person);
}

TEST_F(PointsServiceTest, RetriesLaterAfterTooManyRequests) {
  refuse_all(429, "FREQUENCY_LIMITED", "too fast");
  EXPECT_EQ(step(), Step::retry_later);
}

TEST_F(PointsServiceTest, RetriesLaterWhenAFirewallAnswers) {
  transport.otherwise([](const bonus::HttpRequest&) { return bonus::HttpResponse{403, {}, "<html>blocked</html>"}; });
  EXPECT_EQ(step(), Step::retry_later);
}

TEST_F(PointsServiceTest, DoesNotAcceptAnUnsignedSuccess) {
  transport.otherwise([](const bonus::HttpRequest&) { return bonus::HttpResponse{204, {}, ""}; });
  EXPECT_NE(step(), Step::finish);
  EXPECT_EQ(wechat_pay.times_committed(order.out_trade_no), 0U);
}

TEST_F(PointsServiceTest, AsksAPersonWhenWeChatPayRefusesTheOrder) {
  refuse_all(400, "INVALID_REQUEST", "code不存在");
  EXPECT_EQ(step(), Step::ask_a_person);
}

TEST_F(PointsServiceTest, PausesTheCardWithoutPermissionAndTheMerchantWithAWrongId) {
  refuse_all(403, "NO_AUTH", "商户暂无权限使用此功能");
  EXPECT_EQ(step(), Step::pause_the_card);
  refuse_all(400, "INVALID_REQUEST", "会员卡的创建商户号不等于调用方商户号");
  EXPECT_EQ(step(), Step::pause_the_card);
  refuse_all(400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配");
  EXPECT_EQ(step(), Step::pause_the_merchant);
}

TEST_F(PointsServiceTest, StopsTheQueueWhenOurSignatureIsRefused) {
  transport.otherwise([](const bonus::HttpRequest&) {
    return bonus::HttpResponse{401, {}, R"({"code":"SIGN_ERROR","message":"验证不通过"})"};
  });
  EXPECT_EQ(step(), Step::stop_the_queue);
}

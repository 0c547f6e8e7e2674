// Tests of a merchant's code, with a client whose requests a fake WeChat Pay answers. Requests are signed and answers
// are verified as in production. The tests need no key files and no network, and never sleep.
#include "points_service.hpp"

#include <gtest/gtest.h>
#include <wechatpay/bonus_commit/testing/client_fixture.hpp>

namespace bonus = wechatpay::bonus_commit;

class PointsServiceTest : public ::testing::Test {
 protected:
  // If nothing is scripted, the fake WeChat Pay answers: it verifies the signature, and signs a 204 or a refusal.
  const bonus::testing::ClientFixture fixture;
  bonus::testing::FakeWechatPay& wechat_pay = fixture.wechat_pay();
  bonus::testing::MockTransport& transport = fixture.transport();
  PointsService service{fixture.client(), wechat_pay.credentials().mchid()};
  const Order order{"478515832665", "478515832665", "1217752501201407033233368018", 30};
};

TEST_F(PointsServiceTest, CreditsAnOrder) {
  EXPECT_EQ(service.credit(order), Next::done);
  EXPECT_EQ(wechat_pay.times_committed(order.number), 1U);
}

TEST_F(PointsServiceTest, SendsOnlyTheMerchantId) {
  service.credit(order);
  EXPECT_EQ(transport.requests().at(0).body,
            R"({"out_trade_no":"1217752501201407033233368018","mchid":"1900000001","bonus_value":30})");
}

TEST_F(PointsServiceTest, CreditsAnOrderAfterOneTimeout) {
  transport.then(bonus::transport_error(bonus::TransportFault::timeout, bonus::Outcome::unknown, "no answer in time"));
  EXPECT_EQ(service.credit(order), Next::done);
  EXPECT_EQ(transport.requests().size(), 2U);
}

TEST_F(PointsServiceTest, TriesLaterWhenNoAnswerComes) {
  for (int tries = 0; tries < 3; ++tries) {
    transport.then(
        bonus::transport_error(bonus::TransportFault::timeout, bonus::Outcome::unknown, "no answer in time"));
  }
  EXPECT_EQ(service.credit(order), Next::try_later);
  EXPECT_EQ(service.credit(order), Next::done);
}

TEST_F(PointsServiceTest, TriesLaterAfterTooManyRequests) {
  transport.otherwise([this](const bonus::HttpRequest& request) {
    return wechat_pay.error(429, "FREQUENCY_LIMITED", "too fast", request);
  });
  EXPECT_EQ(service.credit(order), Next::try_later);
}

TEST_F(PointsServiceTest, TriesLaterWhenWeChatPayIsNotAvailable) {
  transport.otherwise([this](const bonus::HttpRequest& request) {
    return wechat_pay.error(503, "SERVICE_UNAVAILABLE", "busy", request);
  });
  EXPECT_EQ(service.credit(order), Next::try_later);
}

TEST_F(PointsServiceTest, TriesLaterWhenAFirewallAnswers) {
  transport.otherwise([](const bonus::HttpRequest&) { return bonus::HttpResponse{403, {}, "<html>blocked</html>"}; });
  EXPECT_EQ(service.credit(order), Next::try_later);
}

TEST_F(PointsServiceTest, AsksAPersonWhenTheSetUpIsWrong) {
  transport.then([this](const bonus::HttpRequest& request) {
    return wechat_pay.error(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误", request);
  });
  EXPECT_EQ(service.credit(order), Next::ask_a_person);
}

TEST_F(PointsServiceTest, AsksAPersonWhenWeChatPayRefuses) {
  transport.then([this](const bonus::HttpRequest& request) {
    return wechat_pay.error(400, "INVALID_REQUEST", "the member's card is deleted", request);
  });
  EXPECT_EQ(service.credit(order), Next::ask_a_person);
  EXPECT_NE(service.last_error().find("the member's card is deleted"), std::string::npos);
}

TEST_F(PointsServiceTest, DoesNotAcceptAnUnsignedSuccess) {
  transport.otherwise([](const bonus::HttpRequest&) { return bonus::HttpResponse{204, {}, ""}; });
  EXPECT_EQ(service.credit(order), Next::try_later);
  EXPECT_EQ(wechat_pay.times_committed(order.number), 0U);
}

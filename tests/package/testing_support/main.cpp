#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/fake_wechat_pay.hpp>
#include <wechatpay/bonus_commit/testing/mock_transport.hpp>

#include <memory>

using namespace wechatpay;

int main() {
  FakeWechatPay wechat_pay;
  const auto transport = std::make_shared<MockTransport>();
  transport->otherwise([&](const HttpRequest& request) { return wechat_pay.answer(request); });
  const auto client = BonusCommitClient::create(wechat_pay.credentials(), wechat_pay.platform_keys(), transport);
  const BonusCommitRequest request{"1", "2", "3", "4", "5", 30, MerchantMode::both};
  return client.value().commit(request) ? 0 : 1;
}

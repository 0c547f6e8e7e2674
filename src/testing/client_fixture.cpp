#include "wechatpay/bonus_commit/testing/client_fixture.hpp"

#include <utility>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

ClientFixture::ClientFixture(ClientOptions options)
    : wechat_pay_(std::make_shared<FakeWechatPay>(FakeWechatPayOptions{"1900000001", options.clock})),
      transport_(std::make_shared<MockTransport>()),
      client_(BonusCommitClient::create(wechat_pay_->credentials(), wechat_pay_->platform_keys(), transport_,
                                        std::move(options))
                  .value()) {
  transport_->otherwise([wechat_pay = wechat_pay_](const HttpRequest& request) { return wechat_pay->answer(request); });
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

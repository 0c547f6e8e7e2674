#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

using namespace wechatpay::bonus_commit;

int main() {
  const auto sandbox = testing::Sandbox::start().value();
  CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox->files().ca;
  ClientOptions options;
  options.origins = {sandbox->origin()};
  const auto client =
      BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options).value(), options);
  const BonusCommitRequest request{"1", "2", "3", "4", "5", 30, MerchantMode::both};
  return client.value().commit(request) ? 0 : 1;
}

// Monitors commits against a sandbox that sometimes fails: log lines on standard error, counters on standard output.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <iostream>
#include <memory>
#include <string>

#include "commit_metrics.hpp"

namespace bonus = wechatpay::bonus_commit;

int main() {
  bonus::testing::SandboxOptions sandbox_options;
  using Kind = bonus::testing::SandboxFault::Kind;
  sandbox_options.script = {Kind::none, 503, Kind::none, Kind::drop_after, {429, "1"}, Kind::none, 400};
  const auto sandbox = bonus::testing::Sandbox::start(sandbox_options).value();

  const auto metrics = std::make_shared<CommitMetrics>();
  bonus::ClientOptions options;
  options.origins = {sandbox->origin()};  // omit it to reach WeChat Pay itself
  options.hooks.on_try = [metrics](const bonus::TryEvent& event) {
    metrics->count(event);
    std::cerr << log_line(event) + "\n";
  };
  options.hooks.on_call = [metrics](const bonus::CallEvent& event) { metrics->count(event); };

  bonus::CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox->files().ca;  // omit this too
  const auto client =
      bonus::BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                       bonus::CurlTransport::create(curl_options).value(), options)
          .value();

  bonus::BonusCommitRequest request;
  request.merchant_mode = bonus::MerchantMode::direct;
  request.card_id = "478515832665";
  request.code = "478515832665";
  request.mchid = sandbox->wechat_pay().credentials().mchid();
  request.bonus_value = 30;
  for (int order = 1; order <= 4; ++order) {
    request.out_trade_no = "order-" + std::to_string(order);
    const bonus::CommitResult result = client.commit(request);
    if (!result) std::cerr << result.error().to_string() << "\n";
  }

  std::cout << metrics->prometheus();
}

// Monitors commits against a sandbox that sometimes fails: a log line for each try on standard error, the counters at
// the end on standard output.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <cstdlib>
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

  // Created before the client, which uses them until its last call has ended.
  CommitMetrics metrics;

  bonus::ClientOptions options;
  options.origins = {sandbox->origin()};  // omit it to reach WeChat Pay itself
  options.hooks.on_try = [&metrics](const bonus::TryEvent& event) {
    metrics.count(event);
    std::cerr << log_line(event) + "\n";
  };
  options.hooks.on_call = [&metrics](const bonus::CallEvent& event) { metrics.count(event); };

  bonus::CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox->files().ca;  // omit this too
  const auto client =
      bonus::BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                       bonus::CurlTransport::create(curl_options).value(), options)
          .value();

  for (int order = 1; order <= 4; ++order) {
    const bonus::BonusCommitRequest request{"478515832665", "478515832665", "order-" + std::to_string(order),
                                            "1230000109",   "1900000109",   30};
    const bonus::CommitResult result = client.commit(request);
    if (!result) std::cerr << result.error().to_string() << "\n";
  }

  std::cout << metrics.prometheus();
  return EXIT_SUCCESS;
}

// Commits in a program with Asio's event loop: no other thread and no lock is needed, and other work continues.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "asio_event_loop.hpp"

namespace bonus = wechatpay::bonus_commit;

int main() {
  bonus::testing::SandboxOptions sandbox_options;
  sandbox_options.script = {503, {bonus::testing::SandboxFault::Kind::delay, std::chrono::milliseconds(300)}};
  const auto sandbox = bonus::testing::Sandbox::start(sandbox_options).value();

  asio::io_context io;
  bonus::CurlOptions curl_options;
  curl_options.event_loop = std::make_shared<AsioEventLoop>(io);
  curl_options.ca_bundle_file = sandbox->files().ca;  // only for the sandbox
  bonus::ClientOptions options;
  options.origins = {sandbox->origin()};  // only for the sandbox
  std::optional<bonus::BonusCommitClient> client =
      bonus::BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                       bonus::CurlTransport::create(curl_options).value(), options)
          .value();
  int in_progress = 3;

  // The program's other work.
  int ticks = 0;
  asio::steady_timer clock(io);
  const std::function<void()> tick = [&] {
    if (in_progress == 0) return;
    ++ticks;
    clock.expires_after(std::chrono::milliseconds(10));
    clock.async_wait([&](std::error_code) { tick(); });
  };
  tick();

  bonus::BonusCommitRequest request;
  request.merchant_mode = bonus::MerchantMode::direct;
  request.card_id = "478515832665";
  request.code = "478515832665";
  request.mchid = sandbox->wechat_pay().credentials().mchid();
  request.bonus_value = 30;
  for (int order = 1; order <= 3; ++order) {
    request.out_trade_no = "order-" + std::to_string(order);
    client->commit_async(request, [&, order](const bonus::CommitResult& result) {
      std::cout << "order-" << order << ": "
                << (result ? "credited after " + std::to_string(result->tries) + " tries" : result.error().to_string())
                << "\n";
      if (--in_progress == 0) client.reset();  // otherwise idle connections keep run() from returning for some seconds
    });
  }

  io.run();
  std::cout << "the clock went on: " << (ticks > 2 ? "yes" : "no") << "\n";
}

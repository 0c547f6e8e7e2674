// Switches from a platform certificate to the WeChat Pay public key while commits continue: none fails and none waits.
// README.md in this folder explains why each step is safe.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace bonus = wechatpay::bonus_commit;

namespace {

/// Counts the answers signed with each of WeChat Pay's keys, and the failed calls. The counts show when a step is
/// complete.
class Answers {
 public:
  void count(const bonus::CommitResult& result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (result) {
      ++by_serial_[result->serial];
    } else {
      ++failed_;
    }
    changed_.notify_all();
  }

  /// Waits until `serial` has signed this many more answers, or a call has failed.
  void wait_for(const std::string& serial, int more) {
    std::unique_lock<std::mutex> lock(mutex_);
    const int wanted = by_serial_[serial] + more;
    changed_.wait(lock, [&] { return by_serial_[serial] >= wanted || failed_ > 0; });
  }

  int of(const std::string& serial) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return by_serial_[serial];
  }

  int failed() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> by_serial_;
  int failed_ = 0;
};

}  // namespace

int main() {
  bonus::testing::SandboxOptions merchant;
  merchant.stage = bonus::testing::MerchantStage::switching;
  const auto sandbox = bonus::testing::Sandbox::start(merchant).value();
  const bonus::testing::FakeWechatPay& wechat_pay = sandbox->wechat_pay();

  // The state before: only a platform certificate.
  bonus::PlatformKeys platform_keys;
  const std::string certificate = platform_keys.add_certificate_file(sandbox->files().platform_certificate).value();

  Answers answers;
  bonus::ClientOptions options;
  options.origins = {sandbox->origin()};  // omit it to reach WeChat Pay itself
  options.hooks.on_call = [&answers](const bonus::CallEvent& event) { answers.count(event.result); };
  bonus::CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox->files().ca;  // omit this too
  const auto client = bonus::BonusCommitClient::create(wechat_pay.credentials(), platform_keys,
                                                       bonus::CurlTransport::create(curl_options).value(), options)
                          .value();

  // The commits that continue during the switch.
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    bonus::BonusCommitRequest request;
    request.merchant_mode = bonus::MerchantMode::direct;
    request.card_id = "478515832665";
    request.code = "478515832665";
    request.mchid = wechat_pay.credentials().mchid();
    request.bonus_value = 30;
    for (int order = 1; !stop; ++order) {
      request.out_trade_no = "order-" + std::to_string(order);
      const bonus::CommitResult result = client.commit(request);
      if (!result) std::cerr << result.error().to_string() << "\n";
    }
  });
  answers.wait_for(certificate, 20);

  // 1. Hold both keys, and still ask WeChat Pay to sign with the certificate.
  if (!platform_keys.announce(certificate)) return 1;
  const std::string public_key =
      platform_keys.add_public_key_file(wechat_pay.public_key_id(), sandbox->files().public_key).value();
  answers.wait_for(certificate, 20);

  // 2. Ask WeChat Pay to sign with the public key. To go back, call announce(certificate).
  if (!platform_keys.announce(public_key)) return 1;
  answers.wait_for(public_key, 20);

  // 3. Remove the certificate once no answers are signed with it and no earlier call is in progress.
  if (!platform_keys.remove(certificate)) return 1;
  answers.wait_for(public_key, 20);

  stop = true;
  worker.join();
  std::cout << "signed with the certificate: " << answers.of(certificate)
            << "\nsigned with the public key: " << answers.of(public_key) << "\nfailed: " << answers.failed() << "\n";
  return answers.failed() == 0 && answers.of(certificate) >= 40 && answers.of(public_key) >= 40 ? EXIT_SUCCESS
                                                                                                : EXIT_FAILURE;
}

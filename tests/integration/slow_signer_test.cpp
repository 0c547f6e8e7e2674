// A key that signs slowly, for example in an HSM, does not delay other calls.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* slow_order = "slow-order";

/// Blocks in the second signature of the slow order until `go_on` is set.
class SlowSigner final : public Signer {
 public:
  explicit SlowSigner(Credentials credentials) : credentials_(std::move(credentials)) {}

  Result<std::string> sign(std::string_view message) const override {
    if (contains(message, slow_order) && ++signed_ == 2) {
      works.set_value();
      EXPECT_EQ(go_on.get_future().wait_for(std::chrono::minutes(1)), std::future_status::ready);
    }
    return credentials_.signer().sign(message);
  }

  mutable std::promise<void> works;
  mutable std::promise<void> go_on;

 private:
  const Credentials credentials_;
  mutable std::atomic<int> signed_{0};
};

class SlowSignature : public ::testing::Test {
 protected:
  SlowSignature() {
    slow_.out_trade_no = slow_order;
    sandbox_->answer_with([this](const HttpRequest& request) {
      FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
      if (contains(request.body, slow_order) && ++answered_ == 1) {
        return wechat_pay.error(500, "SYSTEM_ERROR", "try again", request);
      }
      return wechat_pay.answer(request);
    });
    options_.origins = {sandbox_->origin()};
    options_.timeout = std::chrono::minutes(3);
  }

  BonusCommitClient client() const {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    const Credentials credentials = sandbox_->wechat_pay().credentials();
    return BonusCommitClient::create(
               Credentials::from_signer(credentials.mchid(), credentials.serial_no(), signer_).value(),
               sandbox_->wechat_pay().platform_keys(), CurlTransport::create(curl_options).value(), options_)
        .value();
  }

  /// While the slow order's second try is being signed, another order is committed.
  void expect_another_to_go_on(const BonusCommitClient& client) const {
    signer_->works.get_future().wait();
    const CommitResult other = client.commit(seed_request());
    EXPECT_TRUE(other) << other.error().message;
    signer_->go_on.set_value();
  }

  static void expect_two_tries(const CommitResult& slow) {
    ASSERT_TRUE(slow) << slow.error().message;
    EXPECT_EQ(slow->tries, 2);
  }

  BonusCommitRequest slow_ = seed_request();
  std::atomic<int> answered_{0};
  std::unique_ptr<Sandbox> sandbox_ = Sandbox::start().value();
  std::shared_ptr<SlowSigner> signer_ = std::make_shared<SlowSigner>(sandbox_->wechat_pay().credentials());
  ClientOptions options_;
};

TEST_F(SlowSignature, OfAFurtherTryByAnExecutorKeepsNoOtherCallWaiting) {
  std::vector<std::thread> pool;
  options_.executor = [&pool](std::function<void()> task) { pool.emplace_back(std::move(task)); };
  {
    const BonusCommitClient commits = client();
    CommitFuture slow = commits.commit_async(slow_);
    expect_another_to_go_on(commits);
    expect_two_tries(slow.get());
  }
  ASSERT_EQ(pool.size(), 1U);
  pool[0].join();
}

TEST_F(SlowSignature, OfAFurtherTryOfACommitThatWaitsKeepsNoOtherCallWaiting) {
  const BonusCommitClient commits = client();
  std::thread waiting([&] { expect_two_tries(commits.commit(slow_)); });
  expect_another_to_go_on(commits);
  waiting.join();
}

}  // namespace
}  // namespace wechatpay::bonus_commit

// The merchant's key and WeChat Pay's keys change while a client is in use.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/held_transport.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

class EmptySigner final : public Signer {
 public:
  Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
};

class Rotation : public ::testing::Test {
 protected:
  Rotation() {
    options_.retry.first_backoff = options_.retry.longest_backoff = std::chrono::milliseconds(0);
    transport_->otherwise([this](const HttpRequest& request) { return success(request); });
  }

  BonusCommitClient client(std::shared_ptr<Transport> transport) const {
    return BonusCommitClient::create(old_, platform_keys_, std::move(transport), options_).value();
  }
  BonusCommitClient client() const { return client(transport_); }

  /// A success for any request, with whichever key it was signed.
  HttpResponse success(const HttpRequest& request) const { return wechat_pay_.sign({204, {}, ""}, request); }

  static bool is_signed_by(const HttpRequest& request, const char* serial_no) {
    return contains(header_value(request.headers, "Authorization"), "serial_no=\"" + std::string(serial_no) + "\"");
  }

  static Credentials credentials(const char* serial_no, const char* mchid = test_mchid) {
    return Credentials::from_signer(mchid, serial_no, std::make_shared<EmptySigner>()).value();
  }

  static std::string refusal(const BonusCommitClient& client, const Credentials& credentials) {
    const auto renewed = client.renew_credentials(credentials);
    return renewed ? "renewed" : renewed.error().message;
  }

  FakeWechatPay wechat_pay_{{test_mchid, std::chrono::system_clock::now, MerchantStage::switching}};
  PlatformKeys platform_keys_ = wechat_pay_.platform_keys();
  std::shared_ptr<MockTransport> transport_ = std::make_shared<MockTransport>();
  ClientOptions options_;
  const Credentials old_ = credentials("0A");
};

TEST_F(Rotation, OfCredentialsCountsForFurtherCallsOfEachCopy) {
  const BonusCommitClient one = client();
  const BonusCommitClient copy = one;
  ASSERT_TRUE(copy.commit(seed_request()));
  EXPECT_EQ(one.renew_credentials(credentials("0b")).value(), "0B");
  ASSERT_TRUE(one.commit(seed_request()));
  ASSERT_TRUE(copy.commit(seed_request()));
  const auto requests = transport_->requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_TRUE(is_signed_by(requests[0], "0A"));
  EXPECT_TRUE(is_signed_by(requests[1], "0B"));
  EXPECT_TRUE(is_signed_by(requests[2], "0B"));
}

TEST_F(Rotation, OfCredentialsLeavesCallsUnderWayAsTheyBegan) {
  const auto held = std::make_shared<HeldTransport>();
  const BonusCommitClient holding = client(held);
  CommitFuture future = holding.commit_async(seed_request());
  ASSERT_TRUE(holding.renew_credentials(credentials("0B")));
  held->completions.at(0)(HttpResponse{503, {}, ""});
  ASSERT_EQ(held->requests.size(), 2U);
  EXPECT_TRUE(is_signed_by(held->requests[1], "0A")) << "the second try of a call from before";
  held->completions[1](success(held->requests[1]));
  EXPECT_EQ(future.get().value().tries, 2);
}

TEST_F(Rotation, OfCredentialsKeepsTheRateLimit) {
  options_.rate_limit = {0.001, 1};
  const BonusCommitClient limited = client();
  ASSERT_TRUE(limited.commit(seed_request()));
  ASSERT_TRUE(limited.renew_credentials(credentials("0B")));
  const CommitResult result = limited.commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::rate_limited);
}

TEST_F(Rotation, OfCredentialsKeepsWhatIsKnownOfHosts) {
  const BonusCommitClient one = client();
  transport_->then(transport_error(TransportFault::connect, Outcome::not_sent, "down"));
  ASSERT_TRUE(one.commit(seed_request()));
  ASSERT_TRUE(one.renew_credentials(credentials("0B")));
  ASSERT_TRUE(one.commit(seed_request()));
  EXPECT_EQ(transport_->requests().back().origin, "https://api2.mch.weixin.qq.com");
}

TEST_F(Rotation, OfCredentialsKeepsTheNoncesOfAnswers) {
  options_.retry.max_tries = 1;
  const BonusCommitClient one = client();
  ASSERT_TRUE(one.commit(seed_request()));
  const HttpResponse first = success(transport_->requests().back());
  transport_->then(first).then(first);
  ASSERT_TRUE(one.commit(seed_request()));
  ASSERT_TRUE(one.renew_credentials(credentials("0B")));
  const CommitResult result = one.commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().verification_fault(), VerificationFault::nonce_repeated);
}

TEST_F(Rotation, OfCredentialsIsForOneMerchant) {
  const BonusCommitClient one = client();
  const auto renewed = one.renew_credentials(credentials("0B", "1900000002"));
  ASSERT_FALSE(renewed);
  EXPECT_EQ(renewed.error().kind, ErrorKind::invalid_configuration);
  EXPECT_TRUE(contains(renewed.error().message, "signs for merchant 1900000001")) << renewed.error().message;
  EXPECT_TRUE(contains(renewed.error().message, "are of merchant 1900000002")) << renewed.error().message;
  ASSERT_TRUE(one.commit(seed_request()));
  EXPECT_TRUE(is_signed_by(transport_->requests().back(), "0A"));
}

TEST_F(Rotation, OfCredentialsRefusesKeysThatAreAmongThePlatforms) {
  const BonusCommitClient one = client();
  const auto own = Credentials::from_key(test_mchid, "0B", wechat_pay_.merchant_key_pem()).value();
  const std::string id = platform_keys_.add_public_key(test_public_key_id, public_key_pem(test_key())).value();
  EXPECT_EQ(refusal(one, own).find("the platform key " + id + " is the merchant's own public key"), 0U);
  EXPECT_TRUE(
      contains(refusal(one, credentials(wechat_pay_.certificate_serial().c_str())), "the merchant's own certificate"));
  ASSERT_TRUE(one.commit(seed_request()));
  EXPECT_TRUE(is_signed_by(transport_->requests().back(), "0A"));
}

TEST_F(Rotation, OfCredentialsLetsGoOfTheOldSignerWithItsLastCall) {
  auto signer = std::make_shared<EmptySigner>();
  const std::weak_ptr<EmptySigner> seen = signer;
  const auto held = std::make_shared<HeldTransport>();
  const BonusCommitClient one =
      BonusCommitClient::create(Credentials::from_signer(test_mchid, "0A", std::move(signer)).value(), platform_keys_,
                                held, options_)
          .value();
  CommitFuture future = one.commit_async(seed_request());
  ASSERT_TRUE(one.renew_credentials(credentials("0B")));
  EXPECT_FALSE(seen.expired()) << "a call is under way";
  held->completions.at(0)(success(held->requests.at(0)));
  ASSERT_TRUE(future.get());
  held->completions.clear();
  EXPECT_TRUE(seen.expired());
}

TEST_F(Rotation, OfCredentialsLetsTheEndOfTheOldSignerCommitNothingThatItWouldWaitFor) {
  class Committing final : public Signer {
   public:
    ~Committing() override { result = client->commit(seed_request()); }
    Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
    const BonusCommitClient* client = nullptr;
    std::optional<CommitResult>& result;
    explicit Committing(std::optional<CommitResult>& result_) : result(result_) {}
  };
  std::optional<CommitResult> result;
  auto signer = std::make_shared<Committing>(result);
  Committing& committing = *signer;
  const BonusCommitClient one =
      BonusCommitClient::create(Credentials::from_signer(test_mchid, "0A", std::move(signer)).value(), platform_keys_,
                                transport_, options_)
          .value();
  committing.client = &one;
  ASSERT_TRUE(one.renew_credentials(credentials("0B")));
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().kind, ErrorKind::misuse);
}

TEST_F(Rotation, OfBothKindsOfKeysGoesOnBesideCommits) {
  options_.retry.max_tries = 1;
  const BonusCommitClient shared = client();
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&, copy = shared] {
      while (!stop) failed += copy.commit(seed_request()) ? 0 : 1;
    });
  }
  PlatformKeys copy = platform_keys_;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(shared.renew_credentials(credentials(i % 2 == 0 ? "0B" : "0A")));
    ASSERT_TRUE(copy.add_public_key(wechat_pay_.public_key_id(), wechat_pay_.public_key_pem()));
    ASSERT_TRUE(copy.announce(i % 2 == 0 ? wechat_pay_.certificate_serial() : wechat_pay_.public_key_id()));
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(Rotation, OfPlatformKeysWorksThroughAnyCopy) {
  const BonusCommitClient one = client();
  PlatformKeys copy = platform_keys_;
  ASSERT_TRUE(copy.remove(wechat_pay_.public_key_id()));
  EXPECT_EQ(one.commit(seed_request()).value().serial, wechat_pay_.certificate_serial());
  ASSERT_TRUE(platform_keys_.add_public_key(wechat_pay_.public_key_id(), wechat_pay_.public_key_pem()));
  EXPECT_EQ(one.commit(seed_request()).value().serial, wechat_pay_.public_key_id());
}

}  // namespace
}  // namespace wechatpay::bonus_commit

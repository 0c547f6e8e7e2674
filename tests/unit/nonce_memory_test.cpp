// An answer that has settled one commit cannot settle another one.
#include "wechatpay/bonus_commit/stages/nonce_memory.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

TEST(NonceMemory, KnowsANonceAsLongAsItsTimestampIsBelieved) {
  NonceMemory memory;
  EXPECT_TRUE(memory.first_time("a", 1000, 700));
  EXPECT_FALSE(memory.first_time("a", 1000, 700));
  EXPECT_FALSE(memory.first_time("a", 1000, 1000)) << "its last second";
  EXPECT_TRUE(memory.first_time("b", 1000, 1000));
}

TEST(NonceMemory, BelievesNoAnswerThatIsAsOldAsOneThatItForgot) {
  NonceMemory memory;
  EXPECT_TRUE(memory.first_time("a", 1000, 700));
  EXPECT_TRUE(memory.first_time("b", 1400, 1100)) << "which forgets the first";
  EXPECT_FALSE(memory.first_time("a", 1000, 700)) << "also where the clock is set back";
  EXPECT_FALSE(memory.first_time("c", 1000, 700));
  EXPECT_TRUE(memory.first_time("d", 1001, 700));
}

TEST(NonceMemory, StaysWithinItsCapacityAndBelievesLessRatherThanForget) {
  NonceMemory memory(10);
  for (int second = 0; second < 10; ++second) {
    EXPECT_TRUE(memory.first_time("nonce " + std::to_string(second), second, 0));
  }
  EXPECT_TRUE(memory.first_time("one more", 9, 0));
  EXPECT_FALSE(memory.first_time("nonce 0", 0, 0)) << "forgotten, and not believed";
  EXPECT_FALSE(memory.first_time("new", 0, 0));
  for (int second = 1; second < 10; ++second) {
    EXPECT_FALSE(memory.first_time("nonce " + std::to_string(second), second, 0)) << second;
  }
  NonceMemory none(0);
  EXPECT_FALSE(none.first_time("a", 1000, 700));
}

TEST(NonceMemory, LetsOneOfManyThreadsBeTheFirst) {
  NonceMemory memory;
  std::atomic<int> firsts{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int nonce = 0; nonce < 500; ++nonce) firsts += memory.first_time(std::to_string(nonce), nonce, 0) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(firsts, 500);
}

class RepeatedAnswer : public ::testing::Test {
 protected:
  RepeatedAnswer() : transport_(std::make_shared<MockTransport>()) {
    options_.clock = [this] { return at(now_); };
    options_.retry.max_tries = 1;
    transport_->then([this](const HttpRequest& request) { return first_ = wechat_pay_.answer(request); });
    transport_->otherwise([this](const HttpRequest&) { return first_; });
  }

  BonusCommitClient client() const {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options_)
        .value();
  }

  static BonusCommitRequest order(const char* number) {
    BonusCommitRequest request = seed_request();
    request.out_trade_no = number;
    return request;
  }

  std::int64_t now_ = 1554208460;
  FakeWechatPay wechat_pay_{{"1900000001", [] { return at(1554208460); }}};
  std::shared_ptr<MockTransport> transport_;
  HttpResponse first_;
  ClientOptions options_;
};

TEST_F(RepeatedAnswer, SettlesOneCommitAlone) {
  const BonusCommitClient one = client();
  EXPECT_TRUE(one.commit(order("A")));
  const BonusCommitClient copy = one;
  const CommitResult replayed = copy.commit(order("B"));
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().kind, ErrorKind::unverified_answer);
  EXPECT_EQ(to_string(replayed.error().verification_fault()), "nonce repeated");
  EXPECT_EQ(replayed.error().outcome, Outcome::unknown);
  EXPECT_EQ(replayed.error().remedy, Remedy::retry_later);
  EXPECT_FALSE(replayed.error().verified());
  EXPECT_TRUE(contains(replayed.error().message, "belongs to another request")) << replayed.error().message;
  EXPECT_EQ(wechat_pay_.committed().size(), 1U);
}

TEST_F(RepeatedAnswer, IsTriedAgainOverAnotherConnection) {
  options_.retry.max_tries = 2;
  const BonusCommitClient one = client();
  EXPECT_TRUE(one.commit(order("A")));
  transport_->then([this](const HttpRequest&) { return first_; });
  transport_->then([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(one.commit(order("B")).value().tries, 2);
  EXPECT_FALSE(transport_->send_options()[1].fresh_connection);
  EXPECT_TRUE(transport_->send_options()[2].fresh_connection);
  EXPECT_EQ(wechat_pay_.times_committed("B"), 1U);
}

TEST_F(RepeatedAnswer, IsNoRefusalOfAnotherCommitEither) {
  const BonusCommitClient one = client();
  EXPECT_TRUE(one.commit(order("A")));
  HttpResponse refusal;
  transport_->then(
      [&](const HttpRequest& request) { return refusal = wechat_pay_.error(400, "PARAM_ERROR", "no", request); });
  EXPECT_EQ(one.commit(order("B")).error().outcome, Outcome::refused);
  transport_->then([&](const HttpRequest&) { return refusal; });
  const CommitResult replayed = one.commit(order("C"));
  EXPECT_EQ(replayed.error().outcome, Outcome::unknown);
  EXPECT_EQ(replayed.error().verification_fault(), VerificationFault::nonce_repeated);
}

TEST_F(RepeatedAnswer, IsOfNoUseWhenItsTimestampIsTooOld) {
  const BonusCommitClient one = client();
  EXPECT_TRUE(one.commit(order("A")));
  now_ += 301;
  EXPECT_EQ(one.commit(order("B")).error().verification_fault(), VerificationFault::timestamp_out_of_range);
  now_ -= 301;
  EXPECT_EQ(one.commit(order("B")).error().verification_fault(), VerificationFault::nonce_repeated);
}

TEST_F(RepeatedAnswer, IsBelievedWhereAnOptionSaysSo) {
  options_.refuse_repeated_nonces = false;
  const BonusCommitClient one = client();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(one.commit(order("A")));
}

TEST_F(RepeatedAnswer, IsBelievedByAnotherClientSinceMemoryIsPerClient) {
  EXPECT_TRUE(client().commit(order("A")));
  EXPECT_TRUE(client().commit(order("A")));
}

}  // namespace
}  // namespace wechatpay::bonus_commit

#include "wechatpay/bonus_commit/testing/client_fixture.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

TEST(ClientFixture, CommitsInOneLine) { EXPECT_TRUE(ClientFixture().client().commit(seed_request())); }

TEST(ClientFixture, RemembersWhatWasCommittedAndWhatWasSent) {
  const ClientFixture fixture;
  EXPECT_EQ(fixture.client().commit(seed_request()).value().serial, fixture.wechat_pay().public_key_id());
  EXPECT_EQ(fixture.wechat_pay().times_committed(seed_request().out_trade_no), 1U);
  ASSERT_EQ(fixture.transport().requests().size(), 1U);
  EXPECT_EQ(fixture.transport().requests().front().body, seed_body);
}

TEST(ClientFixture, TakesAScriptBeforeItAnswersByItself) {
  const ClientFixture fixture;
  fixture.transport().then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  EXPECT_EQ(fixture.client().commit(seed_request()).value().tries, 2);
}

TEST(ClientFixture, GivesWechatPayTheClocksTime) {
  ClientOptions options;
  options.clock = [] { return at(1554208460); };
  EXPECT_EQ(ClientFixture(options).client().commit(seed_request()).value().timestamp, 1554208460);
}

TEST(ClientFixture, MayEndBeforeItsClient) {
  std::optional<ClientFixture> fixture(std::in_place);
  const BonusCommitClient client = fixture->client();
  fixture.reset();
  EXPECT_TRUE(client.commit(seed_request()));
}

TEST(ClientFixture, RefusesOptionsThatCannotWork) {
  ClientOptions options;
  options.origins.clear();
  EXPECT_THROW(ClientFixture{options}, std::exception);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

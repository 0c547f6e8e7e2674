#include "wechatpay/bonus_commit/result.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace wechatpay {
namespace {

TEST(Result, HoldsAValue) {
  Result<std::string> result = std::string("value");
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result);
  EXPECT_EQ(*result, "value");
  EXPECT_EQ(result->size(), 5U);
  EXPECT_EQ(result.value(), "value");
}

TEST(Result, HoldsAnError) {
  const Result<int> result = configuration_error("no key");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
  EXPECT_EQ(result.error().message, "no key");
}

TEST(Result, ValueThrowsTheErrorWhereThereIsNoValue) {
  const Result<int> result = configuration_error("no key");
  try {
    static_cast<void>(result.value());
    FAIL() << "value() did not throw";
  } catch (const BadResultAccess& exception) {
    EXPECT_EQ(exception.error().message, "no key");
    EXPECT_STREQ(exception.what(), "invalid configuration (outcome: not sent): no key");
  }
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Error, EveryEnumeratorHasAName) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal_error); ++i) {
    EXPECT_NE(to_string(static_cast<ErrorKind>(i)), "unknown kind") << i;
  }
  for (int i = 0; i < static_cast<int>(TransportFault::other); ++i) {
    EXPECT_NE(to_string(static_cast<TransportFault>(i)), "other") << i;
  }
  for (int i = 0; i <= static_cast<int>(VerificationFault::signature_mismatch); ++i) {
    EXPECT_NE(to_string(static_cast<VerificationFault>(i)), "unknown fault") << i;
  }
  EXPECT_EQ(to_string(Outcome::not_sent), "not sent");
  EXPECT_EQ(to_string(Outcome::refused), "refused");
  EXPECT_EQ(to_string(Outcome::unknown), "unknown");
}

}  // namespace
}  // namespace wechatpay

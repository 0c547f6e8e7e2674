#include "wechatpay/bonus_commit/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

#include "wechatpay/bonus_commit/receipt.hpp"

namespace wechatpay::bonus_commit {

namespace {

Result<int> number_of(const std::string& text) {
  if (text.empty()) return configuration_error("no number");
  return static_cast<int>(text.size());
}

Result<void> require_even(int number) {
  if (number % 2 != 0) return configuration_error("odd");
  return {};
}

const Result<std::string> word = "four";
const Result<std::string> no_word = configuration_error("no word");

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
    EXPECT_STREQ(exception.what(), "invalid configuration: no key");
  }
}

TEST(Result, ValueThrowsWhatACatcherOfRuntimeErrorsCatches) {
  EXPECT_THROW(static_cast<void>(no_word.value()), std::runtime_error);
  EXPECT_THROW(require_even(1).value(), std::runtime_error);
  EXPECT_NO_THROW(require_even(2).value());
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
  Result<std::unique_ptr<int>> other = std::make_unique<int>(8);
  EXPECT_EQ(**std::move(other).transform([](std::unique_ptr<int> value) { return value; }), 8);
}

TEST(Result, TakesWhatConvertsToItsValue) {
  struct Base {
    virtual ~Base() = default;
  };
  struct Derived : Base {};
  const Result<std::shared_ptr<Base>> from_value = std::make_shared<Derived>();
  EXPECT_NE(*from_value, nullptr);
  Result<std::shared_ptr<Derived>> derived = std::make_shared<Derived>();
  const Result<std::shared_ptr<Base>> copied = derived;
  EXPECT_EQ(*copied, *derived);
  const Result<std::unique_ptr<Base>> moved = Result<std::unique_ptr<Derived>>(std::make_unique<Derived>());
  EXPECT_NE(*moved, nullptr);
  const Result<std::shared_ptr<Base>> failed = Result<std::shared_ptr<Derived>>(configuration_error("none"));
  EXPECT_EQ(failed.error().message, "none");
  static_assert(!std::is_convertible_v<Result<std::string>, Result<int>>);
  static_assert(!std::is_constructible_v<Result<int>, std::string>);
}

TEST(Result, ValueOrGivesTheOtherOneWhereThereIsNoValue) {
  EXPECT_EQ(word.value_or("other"), "four");
  EXPECT_EQ(no_word.value_or("other"), "other");
  EXPECT_EQ(*Result<std::unique_ptr<int>>(configuration_error("none")).value_or(std::make_unique<int>(5)), 5);
}

TEST(Result, AndThenGoesOnWithTheValueOrKeepsTheError) {
  EXPECT_EQ(word.and_then(number_of), 4);
  EXPECT_EQ(no_word.and_then(number_of), configuration_error("no word"));
  EXPECT_EQ(Result<std::string>("").and_then(number_of), configuration_error("no number"));
  EXPECT_TRUE(word.and_then(number_of).and_then(require_even));
  EXPECT_EQ(Result<int>(3).and_then(require_even).error().message, "odd");
  EXPECT_EQ(require_even(2).and_then([] { return number_of("x"); }), 1);
  EXPECT_EQ(require_even(1).and_then([] { return number_of("x"); }), configuration_error("odd"));
}

TEST(Result, TransformChangesTheValueOrKeepsTheError) {
  EXPECT_EQ(word.transform([](const std::string& text) { return text.size(); }), 4U);
  EXPECT_EQ(no_word.transform([](const std::string& text) { return text.size(); }), configuration_error("no word"));
  const Result<CommitReceipt> receipt = CommitReceipt{"08ABC-0"};
  EXPECT_EQ(receipt.transform(&CommitReceipt::request_id), "08ABC-0");
  std::string seen;
  const Result<void> shown = word.transform([&seen](const std::string& text) { seen = text; });
  EXPECT_TRUE(shown);
  EXPECT_EQ(seen, "four");
  EXPECT_EQ(require_even(2).transform([] { return 7; }), 7);
  EXPECT_EQ(require_even(1).transform([] { return 7; }), configuration_error("odd"));
}

TEST(Result, OrElseGoesOnWithTheErrorOrKeepsTheValue) {
  const auto repair = [](const Error& error) -> Result<std::string> { return error.message + ", repaired"; };
  EXPECT_EQ(word.or_else(repair), "four");
  EXPECT_EQ(no_word.or_else(repair), "no word, repaired");
  EXPECT_EQ(Result<std::string>(configuration_error("a")).or_else(repair), "a, repaired");
  EXPECT_TRUE(require_even(1).or_else([](const Error&) { return Result<void>(); }));
}

TEST(Result, TransformErrorChangesTheErrorOrKeepsTheValue) {
  const auto add_file = [](Error error) {
    error.message.insert(0, "key.pem: ");
    return error;
  };
  EXPECT_EQ(word.transform_error(add_file), "four");
  EXPECT_EQ(no_word.transform_error(add_file).error().message, "key.pem: no word");
  EXPECT_EQ(Result<int>(configuration_error("a")).transform_error(add_file).error().message, "key.pem: a");
  EXPECT_EQ(require_even(1).transform_error(add_file).error().message, "key.pem: odd");
}

TEST(Result, ComparesValuesAndErrors) {
  EXPECT_EQ(Result<int>(1), Result<int>(1));
  EXPECT_NE(Result<int>(1), Result<int>(2));
  EXPECT_NE(Result<int>(1), Result<int>(configuration_error("a")));
  EXPECT_EQ(Result<int>(configuration_error("a")), configuration_error("a"));
  EXPECT_NE(Result<int>(configuration_error("a")), configuration_error("b"));
  EXPECT_EQ(Result<CommitReceipt>(CommitReceipt{"1"}), CommitReceipt{"1"});
  EXPECT_NE(Result<CommitReceipt>(CommitReceipt{"1"}), CommitReceipt{"2"});
  EXPECT_EQ(Result<void>(), Result<void>());
  EXPECT_NE(Result<void>(), Result<void>(configuration_error("a")));
}

Error refusal() {
  Error error;
  error.kind = ErrorKind::api_error;
  error.outcome = Outcome::refused;
  error.message = "no";
  error.tries.resize(2);
  Answer& answer = error.tries.back().answer.emplace();
  answer.http_status = 400;
  answer.code = "PARAM_ERROR";
  return error;
}

TEST(Error, TellsTheAnswerToItsLatestTry) {
  Error error = refusal();
  ASSERT_NE(error.answer(), nullptr);
  EXPECT_EQ(error.answer()->code, "PARAM_ERROR");
  EXPECT_EQ(error.http_status(), 400);
  EXPECT_FALSE(error.verified());
  EXPECT_EQ(error.verification_fault(), VerificationFault::header_missing);
  error.tries.back().answer->verification_fault = VerificationFault::none;
  EXPECT_TRUE(error.verified());
}

TEST(Error, HasNoAnswerWhereTheLatestTryGotNone) {
  Error error = refusal();
  error.tries.emplace_back();
  for (const Error& one : {error, Error()}) {
    EXPECT_EQ(one.answer(), nullptr);
    EXPECT_EQ(one.http_status(), 0);
    EXPECT_FALSE(one.verified());
    EXPECT_EQ(one.verification_fault(), VerificationFault::none);
  }
}

TEST(Error, OfTheSetUpPrintsNoOutcome) {
  EXPECT_EQ(configuration_error("no key").to_string(), "invalid configuration: no key");
  EXPECT_EQ(refusal().to_string(), "API error (outcome: refused): no");
  Error in_a_call = configuration_error("the last platform key was removed");
  in_a_call.outcome = Outcome::unknown;
  in_a_call.tries.emplace_back();
  EXPECT_EQ(in_a_call.to_string(), "invalid configuration (outcome: unknown): the last platform key was removed");
}

TEST(Error, IsTheSameOnlyWhereEveryMemberIs) {
  EXPECT_EQ(refusal(), refusal());
  const auto differs = [](auto change) {
    Error changed = refusal();
    change(changed);
    return changed != refusal();
  };
  EXPECT_TRUE(differs([](Error& e) { e.kind = ErrorKind::misuse; }));
  EXPECT_TRUE(differs([](Error& e) { e.outcome = Outcome::unknown; }));
  EXPECT_TRUE(differs([](Error& e) { e.remedy = Remedy::correct_request; }));
  EXPECT_TRUE(differs([](Error& e) { e.message = "yes"; }));
  EXPECT_TRUE(differs([](Error& e) { e.faults.emplace_back(); }));
  EXPECT_TRUE(differs([](Error& e) { e.transport_fault = TransportFault::timeout; }));
  EXPECT_TRUE(differs([](Error& e) { e.retry_after = std::chrono::seconds(1); }));
  EXPECT_TRUE(differs([](Error& e) { e.tries.pop_back(); }));
  EXPECT_TRUE(differs([](Error& e) { e.tries[0].origin = "https://a"; }));
  EXPECT_TRUE(differs([](Error& e) { e.tries[0].transfer.bytes_received = 1; }));
  EXPECT_TRUE(differs([](Error& e) { e.tries[1].answer.reset(); }));
  EXPECT_TRUE(differs([](Error& e) { e.tries[1].answer->request_id = "1"; }));
  EXPECT_TRUE(differs([](Error& e) { e.tries[1].answer->clock_offset = std::chrono::seconds(0); }));
}

TEST(Error, EveryEnumeratorHasAName) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal_error); ++i) {
    EXPECT_NE(to_string(static_cast<ErrorKind>(i)), "unknown kind") << i;
  }
  for (int i = 0; i < static_cast<int>(TransportFault::other); ++i) {
    EXPECT_NE(to_string(static_cast<TransportFault>(i)), "other") << i;
  }
  for (int i = 0; i <= static_cast<int>(VerificationFault::nonce_repeated); ++i) {
    EXPECT_NE(to_string(static_cast<VerificationFault>(i)), "unknown fault") << i;
  }
  EXPECT_EQ(to_string(Outcome::not_sent), "not sent");
  EXPECT_EQ(to_string(Outcome::refused), "refused");
  EXPECT_EQ(to_string(Outcome::unknown), "unknown");
}

}  // namespace
}  // namespace wechatpay::bonus_commit

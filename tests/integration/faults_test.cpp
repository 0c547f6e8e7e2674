// The sandbox's faults, each over real TLS: what one try makes of it, and that trying again ends in a receipt.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay {
namespace {

SandboxFault fault(std::string_view text) { return SandboxFault::parse(text).value(); }

/// What becomes of a call whose only try meets a fault.
struct Case {
  const char* fault;
  ErrorKind kind;
  TransportFault transport_fault;
  VerificationFault verification_fault;
  Outcome outcome;
  std::size_t committed;  ///< the truth
  bool settled_by_another_try;
};

std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.fault; }

constexpr auto transport_failed = ErrorKind::transport_failed;
constexpr auto unverified = ErrorKind::unverified_answer;
constexpr auto no_transport_fault = TransportFault::none;
constexpr auto verifies = VerificationFault::none;

const Case cases[] = {
    {"delay:60000", transport_failed, TransportFault::timeout, verifies, Outcome::unknown, 0, true},
    {"slow:60000", transport_failed, TransportFault::timeout, verifies, Outcome::unknown, 1, true},
    {"drop-before", transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 0, true},
    {"drop-after", transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {"drop-half", transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {"reset", transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {"garbage", transport_failed, TransportFault::answer_malformed, verifies, Outcome::unknown, 1, true},
    {"large-headers", transport_failed, TransportFault::answer_too_large, verifies, Outcome::unknown, 1, true},
    {"large-body", transport_failed, TransportFault::answer_too_large, verifies, Outcome::unknown, 1, true},
    {"202", ErrorKind::unexpected_answer, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {"400", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, false},
    {"403", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, false},
    {"429", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {"429:1", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {"500", ErrorKind::api_error, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {"502", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {"503", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {"503:1", ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {"504", ErrorKind::api_error, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {"html", ErrorKind::unexpected_answer, no_transport_fault, VerificationFault::header_missing, Outcome::unknown, 1,
     true},
    {"redirect", ErrorKind::unexpected_answer, no_transport_fault, VerificationFault::header_missing, Outcome::unknown,
     1, false},
    {"wrong-signature", unverified, no_transport_fault, VerificationFault::signature_mismatch, Outcome::unknown, 1,
     true},
    {"unsigned", unverified, no_transport_fault, VerificationFault::header_missing, Outcome::unknown, 1, true},
    {"stale-timestamp", unverified, no_transport_fault, VerificationFault::timestamp_out_of_range, Outcome::unknown, 1,
     true},
    {"unknown-serial", unverified, no_transport_fault, VerificationFault::serial_unknown, Outcome::unknown, 1, true},
    {"probe", unverified, no_transport_fault, VerificationFault::signature_probe, Outcome::unknown, 1, true},
    {"duplicate-header", unverified, no_transport_fault, VerificationFault::header_repeated, Outcome::unknown, 1, true},
};

class Fault : public ::testing::TestWithParam<Case> {
 protected:
  Fault() : sandbox_(Sandbox::start().value()) {
    options_.origins = {sandbox_->origin()};
    options_.retry.first_backoff = std::chrono::milliseconds(1);
  }

  CommitResult commit() {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    const auto client =
        BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                  CurlTransport::create(curl_options).value(), options_);
    sandbox_->inject(fault(GetParam().fault));
    return client.value().commit(seed_request());
  }

  std::size_t committed() { return sandbox_->wechat_pay().times_committed(seed_request().out_trade_no); }

  std::unique_ptr<Sandbox> sandbox_;
  ClientOptions options_;
};

TEST_P(Fault, IsToldTruly) {
  options_.retry.max_tries = 1;
  options_.retry.try_timeout = std::chrono::milliseconds(contains(GetParam().fault, "60000") ? 1500 : 10000);
  const CommitResult result = commit();
  ASSERT_FALSE(result);
  const Error& error = result.error();
  EXPECT_EQ(to_string(error.kind), to_string(GetParam().kind)) << error.message;
  EXPECT_EQ(to_string(error.transport_fault), to_string(GetParam().transport_fault)) << error.message;
  EXPECT_EQ(to_string(error.verification_fault), to_string(GetParam().verification_fault)) << error.message;
  EXPECT_EQ(to_string(error.outcome), to_string(GetParam().outcome)) << error.message;
  EXPECT_FALSE(contains(error.message, "SIGNTEST/x")) << error.message;
  EXPECT_EQ(committed(), GetParam().committed);
}

TEST_P(Fault, IsSettledByAnotherTry) {
  if (contains(GetParam().fault, "60000")) options_.retry.try_timeout = std::chrono::seconds(1);
  const CommitResult result = commit();
  EXPECT_EQ(result.has_value(), GetParam().settled_by_another_try);
  if (result) {
    EXPECT_EQ(result->tries, 2);
    EXPECT_GE(committed(), 1U);
  } else {
    EXPECT_EQ(result.error().tries.size(), 1U);
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& one) {
  std::string name = one.param.fault;
  for (char& c : name) c = c == '-' || c == ':' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sandbox, Fault, ::testing::ValuesIn(cases), name_of);

class Faults : public ::testing::Test {
 protected:
  BonusCommitClient client_of(const std::vector<std::string>& origins, int max_tries = 3) {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    ClientOptions options;
    options.origins = origins;
    options.retry.max_tries = max_tries;
    return BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options).value(), options)
        .value();
  }

  std::unique_ptr<Sandbox> sandbox_ = Sandbox::start().value();
};

TEST_F(Faults, DelayAndSlowAreAnswersAllTheSame) {
  const auto client = client_of({sandbox_->origin()});
  for (const char* one : {"delay:10", "slow:1"}) {
    sandbox_->inject(fault(one));
    EXPECT_EQ(client.commit(seed_request()).value().tries, 1) << one;
  }
}

TEST_F(Faults, AnEarlyCloseOfAKeptConnectionIsNoFailure) {
  const auto client = client_of({sandbox_->origin()}, 1);
  for (int i = 0; i < 3; ++i) {
    sandbox_->inject(fault("early-close"));
    const CommitResult result = client.commit(seed_request());
    ASSERT_TRUE(result) << result.error().message;
  }
}

TEST_F(Faults, OfAKeptConnectionAreMetAgainAtOnceAndLeaveTheTruthOpen) {
  const auto client = client_of({sandbox_->origin()}, 1);
  ASSERT_TRUE(client.commit(seed_request()));
  sandbox_->inject(fault("drop-after"));
  EXPECT_EQ(client.commit(seed_request()).value().tries, 2);

  sandbox_->inject(fault("drop-after"));
  sandbox_->inject(fault("400"));
  BonusCommitRequest other = seed_request();
  other.out_trade_no = "committed, then refused";
  const Error error = client.commit(other).error();
  EXPECT_EQ(error.http_status, 400);
  EXPECT_EQ(error.outcome, Outcome::unknown) << "the first has been committed";
  EXPECT_EQ(sandbox_->wechat_pay().times_committed(other.out_trade_no), 1U);
}

TEST_F(Faults, ComeInTheOrderOfTheScriptAndThenNoMore) {
  SandboxOptions options;
  options.script = {fault("ok"), fault("400"), fault("ok"), fault("403")};
  sandbox_ = Sandbox::start(options).value();
  const auto client = client_of({sandbox_->origin()});
  std::string seen;
  for (int i = 0; i < 6; ++i) {
    const CommitResult result = client.commit(seed_request());
    seen += result ? "204 " : std::to_string(result.error().http_status) + " ";
  }
  EXPECT_EQ(seen, "204 400 204 403 204 204 ");
}

TEST_F(Faults, ComeAtTheRateThatIsAskedForAndInTheOrderOfTheSeed) {
  const auto seen = [this](std::uint64_t seed) {
    SandboxOptions options;
    options.faults = {fault("400"), fault("403")};
    options.fault_rate = 0.5;
    options.fault_seed = seed;
    sandbox_ = Sandbox::start(options).value();
    const auto client = client_of({sandbox_->origin()});
    std::vector<int> statuses;
    for (int i = 0; i < 100; ++i) {
      const CommitResult result = client.commit(seed_request());
      statuses.push_back(result ? 204 : result.error().http_status);
    }
    return statuses;
  };
  const std::vector<int> first = seen(7);
  EXPECT_EQ(first, seen(7));
  EXPECT_NE(first, seen(8));
  std::map<int, int> counts;
  for (const int status : first) ++counts[status];
  EXPECT_NEAR(counts[204], 50, 20);
  EXPECT_NEAR(counts[400], 25, 20);
  EXPECT_NEAR(counts[403], 25, 20);
}

TEST_F(Faults, OfTheMainHostLeaveTheBackup) {
  SandboxOptions options;
  options.wechat_pay = std::make_shared<FakeWechatPay>();
  sandbox_ = Sandbox::start(options).value();
  const auto backup = Sandbox::start(options).value();
  const auto client = client_of({sandbox_->origin(), backup->origin()});
  for (const char* one : {"drop-after", "reset"}) {
    sandbox_->inject(fault(one));
    EXPECT_TRUE(client.commit(seed_request())) << one;
  }
  EXPECT_EQ(options.wechat_pay->times_committed(seed_request().out_trade_no), 3U)
      << "the second call goes to the backup at once, so its reset is not met";
}

}  // namespace
}  // namespace wechatpay

// The sandbox's faults, each over real TLS: the result of a single try, and that retrying ends in a receipt.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using std::chrono::milliseconds;
using Kind = SandboxFault::Kind;

constexpr milliseconds a_minute = std::chrono::minutes(1);

/// The result of a call whose only try meets a fault.
struct Case {
  SandboxFault fault;
  ErrorKind kind;
  TransportFault transport_fault;
  VerificationFault verification_fault;
  Outcome outcome;
  std::size_t committed;  ///< according to the sandbox
  bool settled_by_another_try;
};

std::ostream& operator<<(std::ostream& out, const Case& one) { return out << to_string(one.fault); }

constexpr auto transport_failed = ErrorKind::transport_failed;
constexpr auto unverified = ErrorKind::unverified_answer;
constexpr auto no_transport_fault = TransportFault::none;
constexpr auto verifies = VerificationFault::none;

const Case cases[] = {
    {{Kind::delay, a_minute}, transport_failed, TransportFault::timeout, verifies, Outcome::unknown, 0, true},
    {{Kind::slow, a_minute}, transport_failed, TransportFault::timeout, verifies, Outcome::unknown, 1, true},
    {Kind::drop_before, transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 0, true},
    {Kind::drop_after, transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {Kind::drop_half, transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {Kind::reset, transport_failed, TransportFault::connection_closed, verifies, Outcome::unknown, 1, true},
    {Kind::garbage, transport_failed, TransportFault::answer_malformed, verifies, Outcome::unknown, 1, true},
    {Kind::large_headers, transport_failed, TransportFault::answer_too_large, verifies, Outcome::unknown, 1, true},
    {Kind::large_body, transport_failed, TransportFault::answer_too_large, verifies, Outcome::unknown, 1, true},
    {202, ErrorKind::unexpected_answer, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {400, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, false},
    {403, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, false},
    {429, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {{429, "1"}, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {500, ErrorKind::api_error, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {502, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {503, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {{503, "1"}, ErrorKind::api_error, no_transport_fault, verifies, Outcome::refused, 0, true},
    {504, ErrorKind::api_error, no_transport_fault, verifies, Outcome::unknown, 1, true},
    {Kind::html, ErrorKind::unexpected_answer, no_transport_fault, VerificationFault::header_missing, Outcome::unknown,
     1, true},
    {Kind::redirect, ErrorKind::unexpected_answer, no_transport_fault, VerificationFault::header_missing,
     Outcome::unknown, 1, false},
    {Kind::wrong_signature, unverified, no_transport_fault, VerificationFault::signature_mismatch, Outcome::unknown, 1,
     true},
    {Kind::unsigned_answer, unverified, no_transport_fault, VerificationFault::header_missing, Outcome::unknown, 1,
     true},
    {Kind::stale_timestamp, unverified, no_transport_fault, VerificationFault::timestamp_out_of_range, Outcome::unknown,
     1, true},
    {Kind::unknown_serial, unverified, no_transport_fault, VerificationFault::serial_unknown, Outcome::unknown, 1,
     true},
    {Kind::signature_probe, unverified, no_transport_fault, VerificationFault::signature_probe, Outcome::unknown, 1,
     true},
    {Kind::duplicate_header, unverified, no_transport_fault, VerificationFault::header_repeated, Outcome::unknown, 1,
     true},
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
    sandbox_->inject(GetParam().fault);
    return client.value().commit(seed_request());
  }

  std::size_t committed() { return sandbox_->wechat_pay().times_committed(seed_request().out_trade_no); }

  std::unique_ptr<Sandbox> sandbox_;
  ClientOptions options_;
};

TEST_P(Fault, IsToldTruly) {
  options_.retry.max_tries = 1;
  options_.retry.try_timeout = milliseconds(GetParam().fault.pause == a_minute ? 3000 : 10000);
  const CommitResult result = commit();
  ASSERT_FALSE(result);
  const Error& error = result.error();
  EXPECT_EQ(to_string(error.kind), to_string(GetParam().kind)) << error.message;
  EXPECT_EQ(to_string(error.transport_fault), to_string(GetParam().transport_fault)) << error.message;
  EXPECT_EQ(to_string(error.verification_fault()), to_string(GetParam().verification_fault)) << error.message;
  EXPECT_EQ(to_string(error.outcome), to_string(GetParam().outcome)) << error.message;
  EXPECT_FALSE(contains(error.message, "SIGNTEST/x")) << error.message;
  EXPECT_EQ(committed(), GetParam().committed);
}

TEST_P(Fault, IsSettledByAnotherTry) {
  if (GetParam().fault.pause == a_minute) options_.retry.try_timeout = std::chrono::seconds(2);
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
  std::string name = to_string(one.param.fault);
  for (char& c : name) c = c == '-' ? '_' : c;
  if (!one.param.fault.retry_after.empty()) name += "_with_retry_after";
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
  for (const SandboxFault& one :
       {SandboxFault(Kind::delay, milliseconds(10)), SandboxFault(Kind::slow, milliseconds(1))}) {
    sandbox_->inject(one);
    EXPECT_EQ(client.commit(seed_request()).value().tries, 1) << to_string(one);
  }
}

TEST_F(Faults, AnEarlyCloseOfAKeptConnectionIsNoFailure) {
  const auto client = client_of({sandbox_->origin()}, 1);
  for (int i = 0; i < 3; ++i) {
    sandbox_->inject(Kind::early_close);
    const CommitResult result = client.commit(seed_request());
    ASSERT_TRUE(result) << result.error().message;
  }
}

TEST_F(Faults, OfAKeptConnectionAreMetAgainAtOnceAndLeaveTheTruthOpen) {
  const auto client = client_of({sandbox_->origin()}, 1);
  ASSERT_TRUE(client.commit(seed_request()));
  sandbox_->inject(Kind::drop_after);
  EXPECT_EQ(client.commit(seed_request()).value().tries, 2);

  sandbox_->inject(Kind::drop_after);
  sandbox_->inject(400);
  BonusCommitRequest other = seed_request();
  other.out_trade_no = "committed, then refused";
  const Error error = client.commit(other).error();
  EXPECT_EQ(error.http_status(), 400);
  EXPECT_EQ(error.outcome, Outcome::unknown) << "the first has been committed";
  EXPECT_EQ(sandbox_->wechat_pay().times_committed(other.out_trade_no), 1U);
}

TEST_F(Faults, ComeInTheOrderOfTheScriptAndThenNoMore) {
  SandboxOptions options;
  options.script = {Kind::none, 400, Kind::none, 403};
  sandbox_ = Sandbox::start(options).value();
  const auto client = client_of({sandbox_->origin()});
  std::string seen;
  for (int i = 0; i < 6; ++i) {
    const CommitResult result = client.commit(seed_request());
    seen += result ? "204 " : std::to_string(result.error().http_status()) + " ";
  }
  EXPECT_EQ(seen, "204 400 204 403 204 204 ");
}

TEST_F(Faults, ComeAtTheRateThatIsAskedForAndInTheOrderOfTheSeed) {
  const auto seen = [this](std::uint64_t seed) {
    SandboxOptions options;
    options.faults = {400, 403};
    options.fault_rate = 0.5;
    options.fault_seed = seed;
    sandbox_ = Sandbox::start(options).value();
    const auto client = client_of({sandbox_->origin()});
    std::vector<int> statuses;
    for (int i = 0; i < 100; ++i) {
      const CommitResult result = client.commit(seed_request());
      statuses.push_back(result ? 204 : result.error().http_status());
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
  for (const auto one : {Kind::drop_after, Kind::reset}) {
    sandbox_->inject(one);
    EXPECT_TRUE(client.commit(seed_request())) << to_string(SandboxFault(one));
  }
  EXPECT_EQ(options.wechat_pay->times_committed(seed_request().out_trade_no), 3U)
      << "the second call goes to the backup at once, so its reset is not met";
}

}  // namespace
}  // namespace wechatpay::bonus_commit

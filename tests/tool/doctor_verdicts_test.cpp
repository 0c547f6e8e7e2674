#include "doctor_verdicts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "outbox_verdicts.hpp"
#include "src/testing/pki.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace testing;

namespace {

using std::chrono::microseconds;

/// The steps of `findings` with their verdicts: "name lookup ok, connection bad".
std::string steps(const Findings& findings) {
  std::string all;
  const auto document = findings.as_json();
  for (const auto& step : document["steps"]) {
    all += (all.empty() ? "" : ", ") + step["step"].get<std::string>() + " " + step["verdict"].get<std::string>();
  }
  return all;
}

/// The verdicts for a failed try with libcurl's times. A time is 0 for a phase that was not reached.
std::string verdict(TransportFault fault, microseconds name_lookup, microseconds connect, microseconds tls,
                    const std::string& message = "", bool through_proxy = false) {
  Try made;
  made.transport_fault = fault;
  made.transfer.name_lookup = name_lookup;
  made.transfer.connect = connect;
  made.transfer.tls = tls;
  Findings findings(true);
  judge_commit(made, through_proxy, transport_error(fault, Outcome::unknown, message), findings);
  return steps(findings);
}

constexpr microseconds none{0};
constexpr microseconds some{1000};

TEST(Doctor, BlamesTheNameLookupForANameThatDoesNotResolve) {
  EXPECT_EQ(verdict(TransportFault::name_lookup, none, none, none), "name lookup bad");
  EXPECT_EQ(verdict(TransportFault::timeout, none, none, none), "name lookup bad");  // the DNS server is silent
  EXPECT_EQ(verdict(TransportFault::name_lookup, none, none, none, "", true), "proxy's name lookup bad");
}

TEST(Doctor, BlamesTheConnectionWhereNobodyListens) {
  EXPECT_EQ(verdict(TransportFault::connect, some, none, none), "name lookup ok, connection bad");
  EXPECT_EQ(verdict(TransportFault::timeout, some, none, none), "name lookup ok, connection bad");
  EXPECT_EQ(verdict(TransportFault::connect, some, none, none, "", true),
            "proxy's name lookup ok, connection to proxy bad");
}

TEST(Doctor, BlamesTlsWhereTheHostIsMuteAfterTheConnection) {
  EXPECT_EQ(verdict(TransportFault::timeout, some, none, none, "(libcurl: SSL connection timeout)"),
            "name lookup ok, connection ok, TLS bad");
  EXPECT_EQ(verdict(TransportFault::timeout, some, some, none), "name lookup ok, connection ok, TLS bad");
  EXPECT_EQ(verdict(TransportFault::connection_closed, some, some, none), "name lookup ok, connection ok, TLS bad");
  EXPECT_EQ(verdict(TransportFault::tls, some, none, none), "name lookup ok, connection ok, TLS bad");
  EXPECT_EQ(verdict(TransportFault::tls_verification, some, none, none), "name lookup ok, connection ok, TLS bad");
}

TEST(Doctor, BlamesTheProxyForItsTunnel) {
  const std::string way = "proxy's name lookup ok, connection to proxy ok, ";
  EXPECT_EQ(verdict(TransportFault::connect, some, none, none, "CONNECT tunnel failed, response 407", true),
            way + "proxy's tunnel bad");
  EXPECT_EQ(verdict(TransportFault::timeout, some, none, none, "Proxy CONNECT aborted due to timeout", true),
            way + "proxy's tunnel bad");
  EXPECT_EQ(verdict(TransportFault::connection_closed, some, none, none, "Proxy CONNECT aborted", true),
            way + "proxy's tunnel bad");
  EXPECT_EQ(verdict(TransportFault::tls_verification, some, some, none, "", true), way + "TLS bad");
}

TEST(Doctor, SaysNothingOfANameLookupWhereThereWasNone) {
  EXPECT_EQ(verdict(TransportFault::tls, none, none, none), "connection ok, TLS bad");
  EXPECT_EQ(verdict(TransportFault::connection_closed, none, some, some), "connection ok, TLS ok, answer bad");
}

TEST(Doctor, BlamesTheAnswerWhereAllBeforeItStands) {
  for (const TransportFault fault :
       {TransportFault::timeout, TransportFault::connection_closed, TransportFault::answer_malformed}) {
    EXPECT_EQ(verdict(fault, some, some, some), "name lookup ok, connection ok, TLS ok, answer bad");
  }
}

/// The steps after TLS for an answer of `status`.
std::string verdict_of_answer(const Error& error, int* wrong = nullptr, int* undecided = nullptr) {
  Try made = error.tries.back();
  made.transfer.name_lookup = made.transfer.connect = made.transfer.tls = some;
  Findings findings(true);
  judge_commit(made, false, error, findings);
  if (wrong != nullptr) *wrong = findings.bad_steps();
  if (undecided != nullptr) *undecided = findings.undecided_steps();
  return steps(findings).substr(std::string("name lookup ok, connection ok, TLS ok, ").size());
}

Error answer(int status, const std::string& code, bool verified = true) {
  Error error;
  error.kind = ErrorKind::api_error;
  error.outcome = Outcome::refused;
  error.message = "WeChat Pay answered";
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.http_status = status;
  answer.code = code;
  if (verified) {
    answer.verification_fault = VerificationFault::none;
    answer.clock_offset = std::chrono::seconds(0);
  }
  return error;
}

TEST(Doctor, TakesARefusalOfTheOrderForAProof) {
  int wrong = -1;
  EXPECT_EQ(verdict_of_answer(answer(400, "INVALID_REQUEST"), &wrong), "clock ok, signed request ok, signed answer ok");
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(verdict_of_answer(answer(404, "RESOURCE_NOT_EXISTS")), "clock ok, signed request ok, signed answer ok");
}

TEST(Doctor, BlamesNothingForAnAnswerOfTheMoment) {
  for (const int status : {429, 500, 502, 503}) {
    int wrong = -1;
    int undecided = -1;
    EXPECT_EQ(verdict_of_answer(answer(status, "SOME_CODE"), &wrong, &undecided),
              "clock ok, signed request unknown, signed answer ok");
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(undecided, 1);
  }
}

TEST(Doctor, BlamesWhatARefusalOfTheCallerNames) {
  EXPECT_EQ(verdict_of_answer(answer(401, "SIGN_ERROR", false)), "clock unknown, signed request bad");
  EXPECT_EQ(verdict_of_answer(answer(403, "NO_AUTH")), "clock ok, permission bad, signed answer ok");
  Error permission = answer(400, "INVALID_REQUEST");
  permission.remedy = Remedy::ask_wechat_pay;
  EXPECT_EQ(verdict_of_answer(permission), "clock ok, permission bad, signed answer ok");
  Error serial = answer(400, "PARAM_ERROR");
  serial.message = "WeChat Pay answered 400 PARAM_ERROR: the Wechatpay-Serial is wrong";
  EXPECT_EQ(verdict_of_answer(serial), "clock ok, announced key bad, signed answer ok");
}

TEST(Doctor, BlamesTheSetUpWhereARefusalSpeaksOfIt) {
  for (const int status : {400, 404, 406, 415}) {
    Error refusal = answer(status, "PARAM_ERROR");
    refusal.remedy = Remedy::correct_setup;
    int wrong = 0;
    EXPECT_EQ(verdict_of_answer(refusal, &wrong), "clock ok, signed request bad, signed answer ok") << status;
    EXPECT_EQ(wrong, 1);
  }
}

TEST(Doctor, BlamesTheAnswersSignatureOrItsSender) {
  EXPECT_EQ(verdict_of_answer(answer(400, "INVALID_REQUEST", false)),
            "clock unknown, signed request unknown, signed answer bad");
  Error page = answer(502, "", false);
  page.kind = ErrorKind::unexpected_answer;
  EXPECT_EQ(verdict_of_answer(page), "clock unknown, answer bad");
  Error unsigned_204 = answer(204, "", false);
  unsigned_204.kind = ErrorKind::unverified_answer;
  EXPECT_EQ(verdict_of_answer(unsigned_204), "clock unknown, signed request ok, signed answer bad");
}

TEST(Doctor, BlamesAClockThatIsOffByFiveMinutes) {
  Error error = answer(400, "INVALID_REQUEST");
  error.tries[0].answer->clock_offset = std::chrono::seconds(-301);
  EXPECT_EQ(verdict_of_answer(error).substr(0, 9), "clock bad");
  error.tries[0].answer->clock_offset = std::chrono::seconds(61);
  EXPECT_EQ(verdict_of_answer(error).substr(0, 10), "clock look");
}

TEST(Doctor, TellsAClockByTheSecondAtWhichItsVerdictChanges) {
  const auto verdict_at = [](int seconds) {
    Error error = answer(400, "INVALID_REQUEST");
    error.tries[0].answer->clock_offset = std::chrono::seconds(seconds);
    const std::string all = verdict_of_answer(error);
    return all.substr(0, all.find(','));
  };
  for (const int sign : {1, -1}) {
    EXPECT_EQ(verdict_at(sign * 60), "clock ok");
    EXPECT_EQ(verdict_at(sign * 61), "clock look");
    EXPECT_EQ(verdict_at(sign * 300), "clock look");
    EXPECT_EQ(verdict_at(sign * 301), "clock bad");
  }
}

/// The findings' message for one step.
std::string message_of(const Findings& findings, const std::string& step) {
  const auto document = findings.as_json();
  for (const auto& each : document["steps"]) {
    if (each["step"] == step) return each["message"];
  }
  return "";
}

TEST(Doctor, SaysWhetherThereWereTooManyRequestsOrNoService) {
  for (const auto& [status, says] :
       {std::pair(429, "too many requests at the moment"), std::pair(408, "WeChat Pay is not available at the moment"),
        std::pair(499, "WeChat Pay is not available at the moment"),
        std::pair(500, "WeChat Pay is not available at the moment")}) {
    Findings findings(true);
    Error error = answer(status, "SOME_CODE", false);
    error.tries[0].transfer.name_lookup = error.tries[0].transfer.connect = error.tries[0].transfer.tls = some;
    judge_commit(error.tries[0], false, error, findings);
    EXPECT_TRUE(contains(message_of(findings, "signed request"), says)) << status;
    EXPECT_EQ(message_of(findings, "signed answer"), "") << "one that did not verify";
    EXPECT_EQ(findings.bad_steps(), 0) << status;
    EXPECT_EQ(findings.undecided_steps(), 1) << status;
  }
}

TEST(Doctor, BlamesAnUnverified403ForItsSignatureAlone) {
  EXPECT_EQ(verdict_of_answer(answer(403, "NO_AUTH", false)),
            "clock unknown, signed request unknown, signed answer bad");
}

TEST(Doctor, NamesTheKeyThatVerifiedACredit) {
  Try made;
  made.transfer.name_lookup = made.transfer.connect = made.transfer.tls = some;
  made.answer.emplace().clock_offset = std::chrono::seconds(0);
  CommitReceipt receipt;
  receipt.serial = "PUB_KEY_ID_7";
  Findings findings(true);
  findings.begin_host("https://host");
  judge_commit(made, false, receipt, findings);
  EXPECT_EQ(steps(findings), "name lookup ok, connection ok, TLS ok, clock ok, signed request ok, signed answer ok");
  EXPECT_EQ(message_of(findings, "signed answer"), "verified with PUB_KEY_ID_7");
  EXPECT_EQ(message_of(findings, "name lookup"), "1 ms");
  const auto document = findings.as_json();
  EXPECT_EQ(document["steps"][0]["origin"], "https://host");
  EXPECT_EQ(document["wrong"], 0);
  EXPECT_EQ(document["undecided"], 0);
}

TEST(Doctor, NamesTheStepsOfAProxyBeforeACredit) {
  Try made;
  made.transfer.name_lookup = made.transfer.connect = made.transfer.tls = some;
  made.answer.emplace().clock_offset = std::chrono::seconds(0);
  Findings findings(true);
  judge_commit(made, true, CommitReceipt{}, findings);
  EXPECT_EQ(steps(findings),
            "proxy's name lookup ok, connection to proxy ok, TLS ok, clock ok, signed request ok, signed answer ok");
}

/// A merchant's key that fails when it is used.
class BrokenSigner final : public Signer {
 public:
  Result<std::string> sign(std::string_view) const override {
    Error error;
    error.message = "the key store is away";
    return error;
  }
};

TEST(Doctor, TriesTheKeyAndBlamesASignerThatFails) {
  Findings findings(true);
  judge_credentials(Credentials::from_signer("1900000001", "0A", std::make_shared<BrokenSigner>()),
                    std::chrono::system_clock::now(), findings);
  EXPECT_EQ(steps(findings), "merchant's key ok, signing bad, its certificate unknown");
  EXPECT_EQ(message_of(findings, "signing"), "the key store is away");
  EXPECT_EQ(findings.bad_steps(), 1);
}

TEST(Doctor, TellsOnceThatACertificateHasExpiredAndWhen) {
  const FakeWechatPay wechat_pay;
  const Result<Credentials> credentials = wechat_pay.credentials();
  Findings findings(true);
  judge_credentials(credentials, credentials->not_after().value() + std::chrono::seconds(1), findings);
  EXPECT_EQ(steps(findings), "merchant's key ok, its certificate bad");
  EXPECT_TRUE(contains(message_of(findings, "its certificate"), "expired on 20")) << findings.as_json().dump();
}

TEST(Doctor, TellsOfAKeyThatOthersCanReadBesideACertificateThatHasExpired) {
  const FakeWechatPay wechat_pay;
  const TemporaryFolder folder;
  const std::string certificate = folder.write("apiclient_cert.pem", wechat_pay.merchant_certificate_pem());
  const std::string key = folder.write("apiclient_key.pem", wechat_pay.merchant_key_pem());
  std::filesystem::permissions(key, std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  const auto credentials = Credentials::from_pem_files(certificate, key, "");
  ASSERT_TRUE(credentials) << credentials.error().message;
  Findings findings(true);
  judge_credentials(credentials, credentials->not_after().value() + std::chrono::seconds(1), findings);
  EXPECT_EQ(steps(findings), "merchant's key ok, its certificate bad, merchant's files look");
  EXPECT_TRUE(contains(message_of(findings, "merchant's files"), "can be read by others")) << findings.as_json().dump();
}

TEST(Doctor, LooksAtPlatformKeys) {
  const FakeWechatPay wechat_pay;
  Findings good(true);
  judge_platform_keys(wechat_pay.platform_keys(), good);
  EXPECT_EQ(steps(good), "platform keys ok");
  EXPECT_TRUE(contains(message_of(good, "platform keys"), "requests announce " + wechat_pay.public_key_id()));
  EXPECT_FALSE(judge_own_key(wechat_pay.credentials(), wechat_pay.platform_keys(), good));
  EXPECT_EQ(good.bad_steps(), 0);

  Findings bad(true);
  judge_platform_keys(configuration_error("no such file"), bad);
  EXPECT_EQ(steps(bad), "platform keys bad");

  const auto key = read_key(wechat_pay.merchant_key_pem());
  CertificateOptions options{"Tenpay.com sign", "0A", {}, false};
  options.not_after = std::chrono::system_clock::now() + std::chrono::hours(24);
  PlatformKeys own;
  ASSERT_TRUE(own.add_certificate(certificate_pem(make_certificate(options, key.get()).get())));
  Findings doubtful(true);
  judge_platform_keys(own, doubtful);
  EXPECT_EQ(steps(doubtful), "platform keys ok, platform keys look") << "it expires tomorrow";
  EXPECT_TRUE(judge_own_key(wechat_pay.credentials(), own, doubtful));
  EXPECT_EQ(doubtful.bad_steps(), 1);
}

TEST(Doctor, PrintsAStepAsALineOfItsVerdictItsNameAndWhatWasFound) {
  Findings findings(false);
  ::testing::internal::CaptureStdout();
  findings.begin_host("https://host");
  findings.good("TLS", "stands");
  findings.bad("a step with a long name", "CurlOptions::proxy");
  findings.undecided("clock", "later");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "\nhttps://host\n"
            "ok    TLS                 stands\n"
            "BAD   a step with a long name --proxy\n"
            "  ?   clock               later\n");
  EXPECT_EQ(findings.as_json().dump(),
            R"({"wrong":1,"undecided":1,"steps":[)"
            R"({"origin":"https://host","step":"TLS","verdict":"ok","message":"stands"},)"
            R"({"origin":"https://host","step":"a step with a long name","verdict":"bad","message":"--proxy"},)"
            R"({"origin":"https://host","step":"clock","verdict":"unknown","message":"later"}]})");
}

TEST(Doctor, BlamesACertificateThatHasExpired) {
  const FakeWechatPay wechat_pay;
  const Result<Credentials> credentials = wechat_pay.credentials();
  const auto end = credentials->not_after().value();
  const auto verdict_at = [&credentials](std::chrono::system_clock::time_point now) {
    Findings findings(true);
    judge_credentials(credentials, now, findings);
    return steps(findings);
  };
  EXPECT_EQ(verdict_at(end - std::chrono::hours(24 * 100)), "merchant's key ok, its certificate ok");
  EXPECT_EQ(verdict_at(end - std::chrono::hours(24)), "merchant's key ok, its certificate ok, merchant's files look");
  EXPECT_EQ(verdict_at(end + std::chrono::hours(24)), "merchant's key ok, its certificate bad");
}

/// The verdicts on a database and its tables.
std::string verdict_of_outbox(const outbox::Health& health, const outbox::Status& status) {
  Findings findings(true);
  judge_server(health, findings);
  judge_tables(status, findings);
  judge_use(health, findings);
  return steps(findings);
}

outbox::Health healthy() {
  outbox::Health health;
  health.server = "PostgreSQL 15";
  health.oldest_transaction_seconds = 0;
  return health;
}

TEST(OutboxDoctor, TellsAClockAndATransactionByTheSecondAtWhichTheVerdictChanges) {
  const auto with = [](std::int64_t offset, std::int64_t transaction) {
    outbox::Health health = healthy();
    health.clock_offset_seconds = offset;
    health.oldest_transaction_seconds = transaction;
    return verdict_of_outbox(health, {});
  };
  const std::string good = "server ok, its clock ok, tables ok, rights ok, oldest transaction ok";
  for (const int sign : {1, -1}) {
    EXPECT_EQ(with(sign * 60, 300), good);
    EXPECT_EQ(with(sign * 61, 300), "server ok, its clock look, tables ok, rights ok, oldest transaction ok");
  }
  EXPECT_EQ(with(0, 301), "server ok, its clock ok, tables ok, rights ok, oldest transaction look");
}

TEST(OutboxDoctor, NamesEachRightThatIsMissing) {
  outbox::Health health = healthy();
  health.missing_rights = {"SELECT on a", "UPDATE on b"};
  health.oldest_transaction_seconds = std::nullopt;
  health.right_to_see_transactions = "pg_read_all_stats";
  Findings findings(true);
  judge_use(health, findings);
  EXPECT_EQ(steps(findings), "rights bad, oldest transaction unknown");
  EXPECT_EQ(message_of(findings, "rights"), "missing: SELECT on a, UPDATE on b");
  EXPECT_TRUE(contains(message_of(findings, "oldest transaction"), "grant pg_read_all_stats,"));
  EXPECT_EQ(findings.bad_steps(), 1);
}

TEST(OutboxDoctor, NamesTheOwnerOfTheTablesAndWhyThereIsAHalt) {
  outbox::Status status;
  status.version = 1;
  Findings findings(true);
  judge_tables(status, findings);
  EXPECT_EQ(message_of(findings, "tables"), "version 1");
  EXPECT_EQ(steps(findings), "tables ok");
  status.merchant = "1900000001";
  status.halted_seconds = 7;
  status.why_halted = "WeChat Pay answered 429";
  Findings halted(true);
  judge_tables(status, halted);
  EXPECT_EQ(steps(halted), "tables ok, halt look");
  EXPECT_EQ(message_of(halted, "tables"), "version 1, of merchant 1900000001");
  EXPECT_EQ(message_of(halted, "halt"), "for 7 s: WeChat Pay answered 429");
  EXPECT_EQ(halted.bad_steps() + halted.undecided_steps(), 0);
}

std::string environment(const std::set<std::string>& set, bool has_proxy = false, bool has_ca_file = false) {
  Findings findings(true);
  judge_environment([&set](const char* name) { return set.count(name) > 0; }, has_proxy, has_ca_file, findings);
  std::string all;
  const auto document = findings.as_json();
  for (const auto& step : document["steps"]) all += step["message"].get<std::string>() + "\n";
  return all;
}

TEST(Doctor, NamesVariablesThatAreNotUsed) {
  for (const char* name : {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) {
    EXPECT_TRUE(contains(environment({name}), std::string("not used: ") + name + "; give --proxy")) << name;
  }
  EXPECT_TRUE(
      contains(environment({"SSL_CERT_FILE", "CURL_CA_BUNDLE"}), "not used: CURL_CA_BUNDLE, SSL_CERT_FILE; give"));
  EXPECT_TRUE(contains(environment({"SSLKEYLOGFILE"}), "SSLKEYLOGFILE; libcurl may write the keys"));
  EXPECT_EQ(environment({"HTTPS_PROXY", "SSL_CERT_FILE"}, true, true), "");
  EXPECT_EQ(environment({}), "");
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool

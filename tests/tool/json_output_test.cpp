// `commit --json` is API: it has exactly the members that the guide lists, with the same names, forms and order.
#include "json_output.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

std::string text(const nlohmann::ordered_json& json) { return json_text(json); }

Error error_of(ErrorKind kind, Outcome outcome, Remedy remedy, const std::string& message) {
  Error error;
  error.kind = kind;
  error.outcome = outcome;
  error.remedy = remedy;
  error.message = message;
  return error;
}

TEST(JsonOutput, OfAReceiptHasAllThatItHolds) {
  CommitReceipt receipt;
  receipt.request_id = "08AB";
  receipt.serial = "PUB_KEY_ID_1";
  receipt.timestamp = 1700000000;
  receipt.clock_offset = std::chrono::seconds(-61);
  receipt.tries = 2;
  receipt.warning = "the clock is off";
  EXPECT_EQ(text(as_json(receipt)),
            R"({"outcome":"credited","request_id":"08AB","serial":"PUB_KEY_ID_1","timestamp":1700000000,)"
            R"("clock_offset_seconds":-61,"tries":2,"warning":"the clock is off"})");
}

TEST(JsonOutput, OfAReceiptLeavesOutWhatIsEmpty) {
  EXPECT_EQ(text(as_json(CommitReceipt{})),
            R"({"outcome":"credited","serial":"","timestamp":0,"clock_offset_seconds":0,"tries":1})");
}

TEST(JsonOutput, OfARefusalHasTheAnswerAndTheFaultThatItNames) {
  Error error = error_of(ErrorKind::api_error, Outcome::refused, Remedy::correct_request, "no such card");
  error.faults.push_back({"/bonus_value", "0", "must be positive", "body"});
  Try& made = error.tries.emplace_back();
  made.origin = "https://host";
  made.outcome = Outcome::refused;
  made.duration = std::chrono::milliseconds(12);
  Answer& answer = made.answer.emplace();
  answer.http_status = 400;
  answer.verification_fault = VerificationFault::none;
  answer.code = "PARAM_ERROR";
  answer.message = "parameter error";
  answer.detail = R"({"field":"/bonus_value"})";
  answer.request_id = "08AB";
  answer.clock_offset = std::chrono::seconds(2);
  EXPECT_EQ(text(as_json(error)),
            R"({"outcome":"refused","kind":"api_error","remedy":"correct_request","message":"no such card",)"
            R"("faults":[{"field":"/bonus_value","value":"0","issue":"must be positive","location":"body"}],)"
            R"("http_status":400,"verified":true,"code":"PARAM_ERROR","wechatpay_message":"parameter error",)"
            R"("detail":"{\"field\":\"/bonus_value\"}","request_id":"08AB","clock_offset_seconds":2,)"
            R"("tries":[{"origin":"https://host","http_status":400,"outcome":"refused","milliseconds":12}]})");
}

TEST(JsonOutput, OfAnAnswerThatDoesNotVerifyTellsWhy) {
  Error error = error_of(ErrorKind::unverified_answer, Outcome::unknown, Remedy::retry_later, "not WeChat Pay's");
  error.retry_after = std::chrono::seconds(7);
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.http_status = 204;
  answer.verification_fault = VerificationFault::timestamp_out_of_range;
  EXPECT_EQ(text(as_json(error)),
            R"({"outcome":"unknown","kind":"unverified_answer","remedy":"retry_later","message":"not WeChat Pay's",)"
            R"("http_status":204,"verified":false,"verification_fault":"timestamp_out_of_range",)"
            R"("retry_after_seconds":7,)"
            R"("tries":[{"origin":"","http_status":204,"outcome":"unknown","milliseconds":0}]})");
}

TEST(JsonOutput, OfACallWithoutAnAnswerTellsOfTheTransport) {
  const Error error = transport_error(TransportFault::tls_verification, Outcome::not_sent, "no trust");
  const auto json = as_json(error);
  EXPECT_EQ(json.at("transport_fault"), "tls_verification");
  EXPECT_EQ(json.at("outcome"), "not_sent");
  EXPECT_EQ(json.at("kind"), "transport_failed");
  EXPECT_FALSE(json.contains("http_status"));
  EXPECT_FALSE(json.contains("verified"));
}

TEST(JsonOutput, OfAnErrorWithoutTriesHasNoneOfTheirMembers) {
  const Error error = error_of(ErrorKind::invalid_configuration, Outcome::not_sent, Remedy::correct_setup, "no key");
  EXPECT_EQ(text(as_json(error)),
            R"({"outcome":"not_sent","kind":"invalid_configuration","remedy":"correct_setup","message":"no key"})");
}

TEST(JsonOutput, NamesEachKindOutcomeAndRemedyByAWord) {
  const auto remedy = [](Remedy each) { return as_json(error_of({}, {}, each, "")).at("remedy").get<std::string>(); };
  EXPECT_EQ(remedy(Remedy::retry_later), "retry_later");
  EXPECT_EQ(remedy(Remedy::correct_request), "correct_request");
  EXPECT_EQ(remedy(Remedy::correct_setup), "correct_setup");
  EXPECT_EQ(remedy(Remedy::ask_wechat_pay), "ask_wechat_pay");
  EXPECT_EQ(remedy(Remedy::correct_the_program), "correct_the_program");
  const auto outcome = [](Outcome each) {
    return as_json(error_of({}, each, {}, "")).at("outcome").get<std::string>();
  };
  EXPECT_EQ(outcome(Outcome::not_sent), "not_sent");
  EXPECT_EQ(outcome(Outcome::refused), "refused");
  EXPECT_EQ(outcome(Outcome::unknown), "unknown");
  const auto kind = [](ErrorKind each) { return as_json(error_of(each, {}, {}, "")).at("kind").get<std::string>(); };
  EXPECT_EQ(kind(ErrorKind::invalid_request), "invalid_request");
  EXPECT_EQ(kind(ErrorKind::invalid_configuration), "invalid_configuration");
  EXPECT_EQ(kind(ErrorKind::signing_failed), "signing_failed");
  EXPECT_EQ(kind(ErrorKind::transport_failed), "transport_failed");
  EXPECT_EQ(kind(ErrorKind::rate_limited), "rate_limited");
  EXPECT_EQ(kind(ErrorKind::cancelled), "cancelled");
  EXPECT_EQ(kind(ErrorKind::unverified_answer), "unverified_answer");
  EXPECT_EQ(kind(ErrorKind::api_error), "api_error");
  EXPECT_EQ(kind(ErrorKind::unexpected_answer), "unexpected_answer");
  EXPECT_EQ(kind(ErrorKind::misuse), "misuse");
  EXPECT_EQ(kind(ErrorKind::internal_error), "internal_error");
}

TEST(JsonOutput, NamesOptionsAsTheCommandLineDoes) {
  Error error = error_of(ErrorKind::invalid_request, Outcome::not_sent, Remedy::correct_request,
                         "CurlOptions::proxy and ClientOptions::origins");
  error.faults.push_back({"/mchid", "", "MerchantMode::direct fits", "body"});
  const auto json = as_json(error);
  EXPECT_EQ(json.at("message"), "--proxy and --origin");
  EXPECT_EQ(json.at("faults").at(0).at("issue"), "--merchant-mode direct fits");
}

TEST(Label, IsTheFaultTheAnswerOrElseTheKind) {
  EXPECT_EQ(label(transport_error(TransportFault::timeout, Outcome::unknown, "")), "timeout");
  Error error = error_of(ErrorKind::rate_limited, Outcome::not_sent, Remedy::retry_later, "");
  EXPECT_EQ(label(error), "rate limited");
  EXPECT_EQ(label_with_outcome(error), "rate limited (not sent)");
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.http_status = 202;
  answer.verification_fault = VerificationFault::signature_mismatch;
  EXPECT_EQ(label(error), "202, signature mismatch");
  answer.verification_fault = VerificationFault::none;
  EXPECT_EQ(label(error), "202");
  answer.http_status = 400;
  answer.code = "PARAM_ERROR";
  EXPECT_EQ(label(error), "400 PARAM_ERROR");
}

TEST(JsonOutput, ReplacesBytesThatAreNotUtf8) {
  const Error error = error_of({}, {}, {}, "a\xFFz");
  EXPECT_TRUE(contains(text(as_json(error)), "a\xEF\xBF\xBDz"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool

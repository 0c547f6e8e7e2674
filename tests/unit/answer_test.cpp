#include "wechatpay/bonus_commit/stages/answer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

constexpr std::int64_t answered_at = 1554208461;
const SignedParts sent{"POST", seed_path, 1554208460, "593BEC0C930BF1AFEB40B4A08C8FB242", seed_body};
const Result<Verification> verified = Verification{"PUB_KEY_ID_1", 1554208461, std::chrono::seconds(-1)};
const Result<Verification> not_verified = unverified(VerificationFault::header_missing, "Wechatpay-Nonce is missing");

Error error_of(const HttpResponse& response, const Result<Verification>& verification = verified) {
  const CommitResult result = read_answer(response, verification, sent, at(answered_at));
  EXPECT_FALSE(result);
  return result ? Error{} : result.error();
}

TEST(ReadAnswer, AVerified204IsAReceipt) {
  const CommitResult result = read_answer({204, {{"request-id", "08ABC-0"}}, ""}, verified, sent, at(answered_at));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->request_id, "08ABC-0");
  EXPECT_EQ(result->serial, "PUB_KEY_ID_1");
  EXPECT_EQ(result->timestamp, 1554208461);
  EXPECT_EQ(result->clock_offset.count(), -1);
}

TEST(ReadAnswer, NoSuccessWithoutVerification) {
  for (const int status : {200, 202, 204}) {
    const Error error = error_of({status, {{"Request-ID", "08ABC-0"}}, ""}, not_verified);
    EXPECT_EQ(error.kind, ErrorKind::unverified_answer);
    EXPECT_EQ(error.verification_fault(), VerificationFault::header_missing);
    EXPECT_EQ(error.outcome, Outcome::unknown);
    EXPECT_EQ(error.http_status(), status);
    EXPECT_EQ(error.answer()->request_id, "08ABC-0");
    EXPECT_TRUE(contains(error.message, "Wechatpay-Nonce is missing")) << error.message;
  }
}

TEST(ReadAnswer, NoSuccessButExactly204) {
  for (const int status : {200, 201, 202, 203, 205, 206}) {
    const Error error = error_of({status, {}, ""});
    EXPECT_EQ(error.kind, ErrorKind::unexpected_answer) << status;
    EXPECT_EQ(error.outcome, Outcome::unknown) << status;
    EXPECT_TRUE(error.verified());
    EXPECT_TRUE(contains(error.message, std::to_string(status))) << error.message;
  }
}

TEST(ReadAnswer, TellsTheOutcomeOfEveryStatus) {
  const struct {
    int status;
    bool verified;
    Outcome outcome;
  } cases[] = {
      {100, true, Outcome::unknown},  {301, true, Outcome::unknown},  {302, false, Outcome::unknown},
      {307, false, Outcome::unknown}, {400, true, Outcome::refused},  {400, false, Outcome::unknown},
      {401, false, Outcome::unknown}, {403, true, Outcome::refused},  {404, false, Outcome::unknown},
      {429, true, Outcome::refused},  {429, false, Outcome::unknown}, {500, true, Outcome::unknown},
      {500, false, Outcome::unknown}, {502, true, Outcome::refused},  {502, false, Outcome::unknown},
      {503, true, Outcome::refused},  {503, false, Outcome::unknown}, {504, true, Outcome::unknown},
      {408, true, Outcome::refused},  {408, false, Outcome::unknown}, {499, false, Outcome::unknown},
      {504, false, Outcome::unknown}, {599, true, Outcome::unknown},
  };
  for (const auto& each : cases) {
    const Error error = error_of({each.status, {}, ""}, each.verified ? verified : not_verified);
    EXPECT_EQ(to_string(error.outcome), to_string(each.outcome)) << each.status << each.verified;
    EXPECT_EQ(error.verified(), each.verified) << each.status;
    EXPECT_EQ(error.http_status(), each.status);
  }
}

TEST(ReadAnswer, BelievesAnUnsignedRefusalInWeChatPaysFormWithACodeFromItsDocuments) {
  const std::string body = R"({"code":"PARAM_ERROR","message":"no"})";
  for (const int status : {400, 401, 403, 404, 429}) {
    EXPECT_EQ(to_string(error_of({status, {}, body}, not_verified).outcome), "refused") << status;
  }
  for (const int status : {408, 499, 500, 502, 503, 504}) {
    EXPECT_EQ(to_string(error_of({status, {}, body}, not_verified).outcome), "unknown") << status;
  }
}

TEST(ReadAnswer, BelievesNoOtherUnsignedRefusal) {
  for (const char* body : {R"({"code":"GATEWAY","message":"no"})", R"({"code":"","message":"no"})",
                           R"({"code":"NOT_FOUND","message":"no such route"})", R"({"code":"PARAM_ERROR"})",
                           R"({"code":"param_error","message":"no"})", R"([{"code":"PARAM_ERROR","message":"no"}])",
                           R"({"error":{"code":"PARAM_ERROR","message":"no"}})"}) {
    for (const int status : {400, 401, 403, 404, 429}) {
      const Error error = error_of({status, {}, body}, not_verified);
      EXPECT_EQ(to_string(error.outcome), "unknown") << status << body;
      EXPECT_EQ(to_string(error.remedy), "retry later") << status << body;
      EXPECT_FALSE(contains(error.message, "WeChat Pay answered")) << error.message;
    }
  }
}

TEST(ReadAnswer, BelievesNothingUnderASignatureThatDoesNotMatch) {
  const std::string body = R"({"code":"PARAM_ERROR","message":"no"})";
  const HttpHeaders headers{{"Wechatpay-Signature", "c2lnbmF0dXJl"}};
  for (const VerificationFault fault : {VerificationFault::signature_mismatch, VerificationFault::header_missing,
                                        VerificationFault::signature_malformed, VerificationFault::nonce_repeated}) {
    const Error error = error_of({400, headers, body}, unverified(fault, "forged"));
    EXPECT_EQ(to_string(error.outcome), "unknown") << to_string(fault);
    EXPECT_EQ(to_string(error.remedy), "retry later");
    EXPECT_EQ(error.answer()->code, "PARAM_ERROR");
    EXPECT_FALSE(contains(error.message, "WeChat Pay answered")) << error.message;
    EXPECT_FALSE(contains(error.message, "will be refused again")) << error.message;
  }
}

TEST(ReadAnswer, AdvisesToCorrectTheSetUpWhereNoAnswerCouldVerify) {
  for (const VerificationFault fault : {VerificationFault::serial_unknown, VerificationFault::timestamp_out_of_range}) {
    for (const int status : {204, 400, 503}) {
      const Error error = error_of({status, {{"Wechatpay-Signature", "c2ln"}}, ""}, unverified(fault, "why"));
      EXPECT_EQ(to_string(error.remedy), "correct the set-up") << status << to_string(fault);
      EXPECT_EQ(to_string(error.outcome), "unknown");
    }
  }
  EXPECT_EQ(to_string(error_of({204, {}, ""}, not_verified).remedy), "retry later");
}

TEST(ReadAnswer, SaysNothingOfTheOrderWhereAFirewallMayHaveAnswered) {
  for (const int status : {400, 403, 404, 405, 413, 451}) {
    const Error error = error_of({status, {}, "<html>blocked</html>"}, not_verified);
    EXPECT_EQ(to_string(error.outcome), "unknown");
    EXPECT_EQ(to_string(error.remedy), "retry later");
    for (const char* wrong : {"apply for it", "will be refused again", "correct the request", "no such resource"}) {
      EXPECT_FALSE(contains(error.message, wrong)) << error.message;
    }
    EXPECT_TRUE(contains(error.message, "the commit may have been done")) << error.message;
  }
}

TEST(ReadAnswer, NeverSaysOfARefusalThatItMayHaveBeenDone) {
  for (int status = 400; status < 600; ++status) {
    for (const char* body :
         {"", R"({"code":"PARAM_ERROR","message":"m"})", R"({"code":"INVALID_REQUEST","message":"m"})"}) {
      for (const auto& verification : {verified, not_verified}) {
        const Error error = error_of({status, {}, body}, verification);
        const bool may_be_done = contains(error.message, "may have been done");
        EXPECT_EQ(may_be_done, error.outcome == Outcome::unknown) << error.message;
        const bool passing = status == 408 || status == 429 || status == 499 || status >= 500;
        if (error.outcome == Outcome::unknown || passing) {
          EXPECT_EQ(to_string(error.remedy), "retry later") << status << body;
        } else {
          EXPECT_NE(to_string(error.remedy), "retry later") << status << body;
        }
      }
    }
  }
}

TEST(ReadAnswer, TellsWhetherARefusalSpeaksOfTheOrderOrOfTheCaller) {
  const struct {
    int status;
    const char* body;
    Remedy remedy;
  } cases[] = {
      {400, R"({"code":"PARAM_ERROR","message":"平台证书序列号Wechatpay-Serial错误"})", Remedy::correct_setup},
      {400, R"-({"code":"PARAM_ERROR","message":"HTTP header缺少微信支付平台证书序列号(Wechatpay-Serial)"})-",
       Remedy::correct_setup},
      {400, R"({"code":"INVALID_REQUEST","message":"User-Agent is missing"})", Remedy::correct_setup},
      {400, R"({"code":"INVALID_REQUEST","message":"Accept must be application/json"})", Remedy::correct_setup},
      {400, R"({"code":"PARAM_ERROR","message":"http header中的mchid与post payload中的mchid不匹配"})",
       Remedy::correct_setup},
      {400, R"({"code":"PARAM_ERROR","message":"m","detail":{"field":"serial_no","location":"authorization"}})",
       Remedy::correct_setup},
      {400, R"({"code":"INVALID_REQUEST","message":"invalid merchant id"})", Remedy::ask_wechat_pay},
      {400, R"({"code":"INVALID_REQUEST","message":"商户号与品牌未绑定"})", Remedy::ask_wechat_pay},
      {400, R"({"code":"INVALID_REQUEST","message":"the bonus service is not enabled"})", Remedy::ask_wechat_pay},
      {400, R"({"code":"INVALID_REQUEST","message":"商户无此产品权限"})", Remedy::ask_wechat_pay},
      {401, R"({"code":"SIGN_ERROR","message":"m"})", Remedy::correct_setup},
      {400, R"({"code":"APPID_MCHID_NOT_MATCH","message":"m"})", Remedy::correct_setup},
      {403, R"({"code":"NO_AUTH","message":"m"})", Remedy::ask_wechat_pay},
      {403, R"({"code":"RULE_LIMIT","message":"m"})", Remedy::ask_wechat_pay},
      {429, R"({"code":"FREQUENCY_LIMITED","message":"m"})", Remedy::retry_later},
      {404, R"({"code":"RESOURCE_NOT_EXISTS","message":"m"})", Remedy::correct_request},
      {400, R"({"code":"PARAM_ERROR","message":"m","detail":{"field":"/bonus_value","location":"body"}})",
       Remedy::correct_request},
      {400, R"({"code":"PARAM_ERROR","message":"m","detail":{"field":"/mchid","issue":"too long","location":"body"}})",
       Remedy::correct_request},
      {400, R"({"code":"PARAM_ERROR","message":"code序列号不存在","detail":{"field":"code","location":"path"}})",
       Remedy::correct_request},
      {400, R"({"code":"INVALID_REQUEST","message":"会员卡已删除"})", Remedy::correct_request},
      {400, R"({"code":"INVALID_REQUEST","message":"the code does not exist"})", Remedy::correct_request},
      {400, R"({"code":"INVALID_REQUEST","message":"商户订单号不存在"})", Remedy::correct_request},
  };
  for (const auto& each : cases) {
    for (const auto& verification : {verified, not_verified}) {
      const Error error = error_of({each.status, {}, each.body}, verification);
      EXPECT_EQ(to_string(error.outcome), "refused") << each.body;
      EXPECT_EQ(to_string(error.remedy), to_string(each.remedy)) << each.body;
      const bool of_the_order = contains(error.message, "will be refused again");
      EXPECT_TRUE(!of_the_order || each.remedy == Remedy::correct_request) << error.message;
    }
  }
}

TEST(ReadAnswer, GivesOneAdviceWhereAnEarlierTryMayHaveBeenDone) {
  const CommitResult result = read_answer({400, {}, R"({"code":"PARAM_ERROR","message":"m"})"}, verified, sent,
                                          at(answered_at), Outcome::unknown);
  EXPECT_EQ(to_string(result.error().outcome), "refused") << "of this try";
  EXPECT_EQ(to_string(result.error().remedy), "retry later") << "of the call";
  EXPECT_FALSE(contains(result.error().message, "refused again")) << result.error().message;
}

TEST(ReadAnswer, CarriesWeChatPaysOwnWords) {
  const Error error = error_of(
      {400,
       {{"Request-ID", "08ABC-0"}},
       R"({"code":"PARAM_ERROR","message":"参数错误","detail":{"field":"/bonus_value","value":"0","issue":"must be positive","location":"body"}})"});
  EXPECT_EQ(error.kind, ErrorKind::api_error);
  EXPECT_EQ(error.answer()->code, "PARAM_ERROR");
  EXPECT_EQ(error.answer()->message, "参数错误");
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].field, "/bonus_value");
  EXPECT_EQ(error.faults[0].value, "0");
  EXPECT_EQ(error.faults[0].issue, "must be positive");
  EXPECT_EQ(error.faults[0].location, "body");
  EXPECT_TRUE(contains(error.answer()->detail, R"("issue":"must be positive")")) << error.answer()->detail;
  EXPECT_EQ(error.message,
            "WeChat Pay answered 400 PARAM_ERROR: 参数错误 (/bonus_value: must be positive, given: 0); correct the "
            "request; the same one will be refused again; Request-ID 08ABC-0");
}

TEST(ReadAnswer, AdvisesByCode) {
  const struct {
    int status;
    const char* code;
    const char* says;
  } cases[] = {
      {400, "INVALID_REQUEST", "bonus service is enabled"},
      {401, "SIGN_ERROR", "belong together"},
      {403, "NO_AUTH", "apply for it with WeChat Pay's product or business contact"},
      {404, "NOT_FOUND", "card_id"},
      {429, "FREQUENCY_LIMITED", "slow down"},
      {429, "RATELIMIT_EXCEEDED", "slow down"},
      {500, "SYSTEM_ERROR", "may have been done"},
      {503, "SERVICE_UNAVAILABLE", "commit again later"},
  };
  for (const auto& each : cases) {
    const Error error = error_of({each.status, {}, std::string(R"({"code":")") + each.code + R"(","message":"m"})"});
    EXPECT_EQ(error.answer()->code, each.code);
    EXPECT_TRUE(contains(error.message, each.says)) << error.message;
  }
}

TEST(ReadAnswer, ReportsAnUnsignedErrorAsWhatItSaysAndMarksIt) {
  const Error error = error_of({400, {}, R"({"code":"PARAM_ERROR","message":"m"})"}, not_verified);
  EXPECT_EQ(error.kind, ErrorKind::api_error);
  EXPECT_FALSE(error.verified());
  EXPECT_EQ(error.verification_fault(), VerificationFault::header_missing);
  EXPECT_TRUE(contains(error.message, "not verified: Wechatpay-Nonce is missing")) << error.message;
}

TEST(ReadAnswer, TakesDetailOfAnyShape) {
  for (const char* detail : {"null", "[]", "\"text\"", "17", "{}", R"({"field":7,"value":{"a":[1]}})",
                             R"({"field":"x","value":null})", R"([{"field":"x"}])"}) {
    const Error error =
        error_of({400, {}, std::string(R"({"code":"PARAM_ERROR","message":"m","detail":)") + detail + "}"});
    EXPECT_EQ(error.answer()->code, "PARAM_ERROR") << detail;
    EXPECT_EQ(error.answer()->detail.empty(), false) << detail;
  }
  const Error error = error_of({400, {}, R"({"code":"E","detail":{"field":7,"value":{"a":[1]}}})"});
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].field, "7");
  EXPECT_EQ(error.faults[0].value, R"({"a":[1]})");
}

TEST(ReadAnswer, HelpsWithBodiesThatAreNotWeChatPays) {
  const struct {
    std::string body;
    const char* says;
  } cases[] = {
      {"", "an empty body"},
      {"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"},
      {R"({"code":"PARAM_ERR)", "PARAM_ERR"},
      {R"({"message":"no code"})", "no code"},
      {R"({"code":17})", "17"},
      {R"(["code"])", "code"},
      {"\xFF\xFE", "\\xFF\\xFE"},
      {"{\"code\":\"\xFF\"}", "\\xFF"},
      {"line\r\nbreak", "line\\x0D\\x0Abreak"},
  };
  for (const auto& each : cases) {
    const Error error = error_of({403, {}, each.body}, not_verified);
    EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
    EXPECT_TRUE(contains(error.message, each.says)) << error.message;
    EXPECT_EQ(error.answer()->code, "");
  }
}

TEST(ReadAnswer, KeepsCodeAndDetailOfABodyThatIsAlmostJson) {
  const struct {
    std::string detail;
    const char* becomes;
  } cases[] = {
      {"\"one byte \xB4\"", R"("one byte \ufffd")"},
      {"\"GBK \xD5\x5C\"", R"("GBK \ufffd")"},  // the second byte is a backslash
      {"[1e999,-1E+400,1.5]", R"(["1e999","-1E+400",1.5])"},
      {"\"a raw\nline break\"", R"("a raw line break")"},
      {R"("half a pair \ud83d.")", R"("half a pair \ufffd.")"},
      {R"("\udc00\ud83d\ude00")", "\"\\ufffd\xF0\x9F\x98\x80\""},
  };
  for (const auto& each : cases) {
    const Error error =
        error_of({400, {}, R"({"code":"PARAM_ERROR","message":"m","detail":)" + each.detail + "}"}, not_verified);
    EXPECT_EQ(error.answer()->code, "PARAM_ERROR") << each.detail;
    EXPECT_EQ(error.outcome, Outcome::refused) << each.detail;
    std::string becomes = each.becomes;
    for (std::size_t at = 0; (at = becomes.find("\\ufffd", at)) != std::string::npos;) {
      becomes.replace(at, 6, "\xEF\xBF\xBD");
    }
    EXPECT_EQ(error.answer()->detail, becomes);
  }
  const Error error = error_of(
      {400,
       {},
       std::string(R"({"code":"PARAM_ERROR","message":"1e999","detail":{"n":)") + std::string(400, '9') + "}}"});
  EXPECT_EQ(error.answer()->message, "1e999");
  EXPECT_EQ(error.answer()->detail, R"({"n":"[redacted]"})") << "so long a number has the shape of a signature";
}

TEST(ReadAnswer, TakesNoBodyThatSaysAThingTwiceForWeChatPays) {
  for (const char* body : {R"({"code":"PARAM_ERROR","message":"m","code":"NO_AUTH"})",
                           R"({"code":"PARAM_ERROR","message":"m","message":"n"})",
                           R"({"code":"PARAM_ERROR","message":"m","detail":{},"detail":[]})"}) {
    const Error error = error_of({400, {}, body}, not_verified);
    EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
    EXPECT_EQ(error.outcome, Outcome::unknown);
    EXPECT_EQ(error.answer()->code, "");
    EXPECT_TRUE(contains(error.message, "a body that is not WeChat Pay's")) << error.message;
  }
  EXPECT_EQ(error_of({400, {}, R"({"code":"E","message":"m","detail":{"code":"a","message":"b"}})"}).answer()->code,
            "E");
}

TEST(ReadAnswer, NamesTheEncodingOfABodyThatItCannotRead) {
  const std::string gzip("\x1F\x8B\x08\x00\x00\x01\x02PIECE OF BINARY", 22);
  for (const char* encoding : {"gzip", "br", "deflate, zstd"}) {
    const Error error = error_of({502, {{"content-encoding", encoding}}, gzip}, not_verified);
    EXPECT_TRUE(contains(error.message, std::string("Content-Encoding ") + encoding)) << error.message;
    EXPECT_FALSE(contains(error.message, "PIECE")) << error.message;
  }
  const Error unnamed = error_of({502, {}, gzip}, not_verified);
  EXPECT_TRUE(contains(unnamed.message, "a body of 22 bytes that is no text")) << unnamed.message;
  EXPECT_FALSE(contains(unnamed.message, "PIECE")) << unnamed.message;
  const Error plain = error_of({502, {{"Content-Encoding", "identity"}}, "<html>"}, not_verified);
  EXPECT_TRUE(contains(plain.message, "<html>")) << plain.message;
}

TEST(ReadAnswer, MakesDetailSafeToLog) {
  const Error error = error_of(
      {400, {}, "{\"code\":\"E\",\"message\":\"m\",\"detail\":{\"a\\u001b[31m\":\"\\u202e \xC2\x9B \x7F \\\"\\n\"}}"});
  EXPECT_EQ(error.answer()->detail, R"({"a\u001B[31m":"\u202E \u009B \u007F \"\n"})");
}

TEST(ReadAnswer, CapsDetailAndKeepsItJson) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += (i == 0 ? "{\"k" : ",\"k") + std::to_string(i) + "\":[{\"x\":[\"value\"]}]";
  for (const std::string& detail :
       {many + "}", '"' + std::string(1U << 19U, 'x') + '"',
        "{\"field\":\"/x\",\"a\":\"" + std::string(5000, '"' - 1) + "\",\"value\":\"last\"}",
        "[" + std::string(9000, '[') + std::string(9000, ']') + "]", "{\"" + std::string(9000, 'k') + "\":1}"}) {
    const Error error = error_of({400, {}, R"({"code":"E","message":"m","detail":)" + detail + "}"});
    EXPECT_LE(error.answer()->detail.size(), 4096U);
    EXPECT_TRUE(nlohmann::json::accept(error.answer()->detail)) << error.answer()->detail;
    EXPECT_GT(error.answer()->detail.size(), 10U);
  }
}

TEST(ReadAnswer, CutsALargeBody) {
  const Error error = error_of({500, {}, "big " + std::string(1U << 20U, ' ')});
  EXPECT_LT(error.message.size(), 600U);
}

TEST(ReadAnswer, SurvivesNestingWithoutBounds) {
  for (const char* open : {"[", R"({"a":)"}) {
    std::string nested = R"({"code":"E","detail":)";
    for (int i = 0; i < 100000; ++i) nested += open;
    EXPECT_EQ(error_of({400, {}, nested}).kind, ErrorKind::unexpected_answer) << "it is cut off";
  }
  std::string closed = R"({"code":"E","detail":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  const Error error = error_of({400, {}, closed});
  EXPECT_EQ(error.answer()->code, "E");
  EXPECT_LT(error.answer()->detail.size(), 100U);
}

TEST(ReadAnswer, NamesARedirectAndDoesNotBelieveIt) {
  const Error error = error_of({302, {{"Location", "http://evil.example/\r\n"}}, ""}, not_verified);
  EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
  EXPECT_TRUE(contains(error.message, "a redirect to http://evil.example/\\x0D\\x0A")) << error.message;
}

TEST(ReadAnswer, TellsHowLongTheServerAsksToWait) {
  EXPECT_EQ(error_of({429, {{"retry-after", "7"}}, ""}).retry_after, std::chrono::seconds(7));
  EXPECT_EQ(error_of({503, {{"Retry-After", "Tue, 02 Apr 2019 12:34:31 GMT"}}, ""}).retry_after,
            std::chrono::seconds(10));
  EXPECT_EQ(error_of({429, {{"Retry-After", "soon"}}, ""}).retry_after, std::nullopt);
  EXPECT_EQ(error_of({429, {}, ""}).retry_after, std::nullopt);
}

TEST(ReadAnswer, WarnsOfAClockThatIsOffByMoreThanAMinute) {
  const struct {
    int offset;
    const char* says;
  } cases[] = {{0, ""}, {60, ""}, {-60, ""}, {61, "61 s ahead of WeChat Pay's"}, {-299, "299 s behind WeChat Pay's"}};
  for (const auto& each : cases) {
    const Result<Verification> off = Verification{"PUB_KEY_ID_1", answered_at, std::chrono::seconds(each.offset)};
    const CommitResult receipt = read_answer({204, {}, ""}, off, sent, at(answered_at));
    ASSERT_TRUE(receipt);
    EXPECT_EQ(receipt->warning.empty(), std::string(each.says).empty()) << receipt->warning;
    EXPECT_TRUE(contains(receipt->warning, each.says)) << receipt->warning;
    const Error error = error_of({400, {}, ""}, off);
    EXPECT_EQ(contains(error.message, "this machine's clock"), each.says[0] != '\0') << error.message;
    EXPECT_EQ(error.answer()->clock_offset, std::chrono::seconds(each.offset));
  }
}

TEST(ReadAnswer, NeverRepeatsASignatureThatAServerEchoes) {
  const std::string signature(342, 'S');
  for (const std::string& body :
       {"<pre>Authorization: signature=\"" + signature + "==\"</pre>",
        R"({"code":"E","message":"got )" + signature + R"(==","detail":{"field":")" + signature + R"("}})"}) {
    const Error error = error_of({400, {{"Request-ID", signature}}, body});
    EXPECT_FALSE(contains(error.message, "SSSSSSSSSS")) << error.message;
    EXPECT_FALSE(contains(error.answer()->detail, "SSSSSSSSSS")) << error.answer()->detail;
    EXPECT_FALSE(contains(error.answer()->message, "SSSSSSSSSS"));
    EXPECT_FALSE(contains(error.answer()->request_id, "SSSSSSSSSS"));
  }
}

TEST(ReadAnswer, NeverRepeatsASignatureThatIsAKeyInDetail) {
  const std::string signature(342, 'S');
  const Error error = error_of(
      {400, {}, R"({"code":"E","detail":{")" + signature + R"(":{"a":[{")" + signature + R"(":1}]},"field":"x"}})"});
  EXPECT_EQ(error.answer()->detail, R"({"[redacted]":{"a":[{"[redacted]":1}]},"field":"x"})");
}

TEST(ExplainSignError, SaysThatTheKeyIsWrongWhereTheMessagesAgree) {
  const std::string own = signing_message(sent);
  const auto same = explain_sign_error({own, own.size()}, sent);
  EXPECT_TRUE(contains(same, "private key does not belong")) << same;
  const auto cut = explain_sign_error({own.substr(0, 150), own.size()}, sent);
  EXPECT_TRUE(contains(cut, "private key does not belong")) << cut;
}

TEST(ExplainSignError, NamesTheLineThatDiffers) {
  const struct {
    SignedParts theirs;
    const char* says;
  } cases[] = {
      {{"PUT", sent.path, sent.timestamp, sent.nonce_str, sent.body}, "line 1 of the signed message, the HTTP method"},
      {{"POST", "/V3/other", sent.timestamp, sent.nonce_str, sent.body}, "line 2 of the signed message, the path"},
      {{"POST", sent.path, 1, sent.nonce_str, sent.body}, "line 3 of the signed message, the timestamp"},
      {{"POST", sent.path, sent.timestamp, "other", sent.body}, "line 4 of the signed message, the nonce_str"},
      {{"POST", sent.path, sent.timestamp, sent.nonce_str, "{}"}, "line 5 of the signed message, the body"},
  };
  for (const auto& each : cases) {
    const std::string message = signing_message(each.theirs);
    const std::string explained = explain_sign_error({message, message.size()}, sent);
    EXPECT_TRUE(contains(explained, each.says)) << explained;
  }
}

TEST(ExplainSignError, TakesAMessageWithoutItsLengthForCut) {
  const auto same = explain_sign_error({signing_message(sent).substr(0, 150), 0}, sent);
  EXPECT_TRUE(contains(same, "private key does not belong")) << same;
}

TEST(ExplainSignError, QuotesNoSignature) {
  const auto explained = explain_sign_error({std::string(342, 'S') + "==\n", 500}, sent);
  EXPECT_TRUE(contains(explained, "[redacted]")) << explained;
}

TEST(ReadAnswer, KeepsDetailReadableJsonWhereItRemovesASignature) {
  const Error error = error_of({401,
                                {},
                                R"({"code":"E","detail":{"a":")" + std::string(342, 'S') + R"(\"x","b":"POST\n)" +
                                    std::string(seed_path) + R"(\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n"}})"});
  EXPECT_EQ(error.answer()->detail, R"({"a":"[redacted]\"x","b":"POST\n)" + std::string(seed_path) +
                                        R"(\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n"})");
}

TEST(ExplainSignError, ComparesLengthsWhereTheDifferenceIsCutOff) {
  const std::string own = signing_message(sent);
  const auto explained = explain_sign_error({own.substr(0, 150), own.size() + 1}, sent);
  EXPECT_TRUE(contains(explained, std::to_string(own.size()) + " bytes here")) << explained;
}

TEST(ReadAnswer, ComparesWhatWeChatPaySignedInASignError) {
  const Error error = error_of(
      {401,
       {},
       R"({"code":"SIGN_ERROR","message":"错误的签名","detail":{"detail":{"issue":"sign not match"},"field":"signature",)"
       R"("location":"authorization","sign_information":{"method":"GET","url":"/v3/certificates","sign_message_length":66,)"
       R"("truncated_sign_message":"GET\n/v3/certificates\n1721639012\n0deQ381ci7pNj9lUyMHW\n\n"}}})"},
      not_verified);
  EXPECT_EQ(error.answer()->code, "SIGN_ERROR");
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].field, "signature");
  EXPECT_EQ(error.faults[0].issue, "sign not match");
  EXPECT_TRUE(contains(error.message, "WeChat Pay received \"GET\", signed here was \"POST\"")) << error.message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit

#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "src/testing/nonce_memory.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/test_keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/body.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

using nlohmann::json;

constexpr std::int64_t now = 1554208460;

class Fake : public ::testing::Test {
 protected:
  Fake() : wechat_pay_({"1900000001", [] { return at(now); }}) {}

  HttpRequest request(const std::string& path = seed_path, const std::string& body = seed_body,
                      std::int64_t timestamp = now) const {
    const std::string nonce = random_nonce().value();
    return signed_request({"POST", path, timestamp, nonce, body});
  }

  HttpRequest signed_request(const SignedParts& parts) const {
    HttpRequest made;
    made.method = parts.method;
    made.path = parts.path;
    made.body = parts.body;
    made.headers = {{"Authorization", authorization(wechat_pay_.credentials(), parts).value()},
                    {"Accept", "application/json"},
                    {"Content-Type", "application/json"},
                    {"User-Agent", "test"},
                    {"Wechatpay-Serial", wechat_pay_.public_key_id()}};
    return made;
  }

  HttpRequest certificates_request() const {
    const std::string nonce = random_nonce().value();
    HttpRequest made = signed_request({"GET", "/v3/certificates", now, nonce, ""});
    made.headers.pop_back();
    return made;
  }

  static HttpRequest announcing(HttpRequest request, const std::string& serial) {
    set(request, "Wechatpay-Serial", serial);
    return request;
  }

  /// The key that signed the answer.
  std::string signer(const HttpRequest& request) {
    PlatformKeys keys;
    static_cast<void>(keys.add_certificate(wechat_pay_.certificate_pem()).value());
    static_cast<void>(keys.add_public_key(wechat_pay_.public_key_id(), wechat_pay_.public_key_pem()).value());
    const HttpResponse response = wechat_pay_.answer(request);
    const auto verified = verify(response, keys, at(now));
    return verified ? verified->serial : "no key: " + std::to_string(response.status) + " " + response.body;
  }

  static void set(HttpRequest& request, const char* name, const std::string& value) {
    for (HttpHeader& header : request.headers) {
      if (header.name == name) header.value = value;
    }
  }

  /// Replaces text inside the Authorization header.
  static HttpRequest with_authorization(HttpRequest request, const std::string& from, const std::string& to) {
    std::string& value = request.headers[0].value;
    value.replace(value.find(from), from.size(), to);
    return request;
  }

  void expect_refusal(const HttpRequest& bad, int status, const std::string& code, const std::string& says) {
    const HttpResponse response = wechat_pay_.answer(bad);
    EXPECT_EQ(response.status, status) << response.body;
    const json body = json::parse(response.body);
    EXPECT_EQ(body["code"], code) << response.body;
    EXPECT_TRUE(contains(response.body, says)) << response.body;
    EXPECT_TRUE(wechat_pay_.committed().empty());
    const bool is_signed = verify(response, wechat_pay_.platform_keys(), at(now)).has_value();
    EXPECT_EQ(is_signed, status != 401) << "failed authentication is answered without a signature";
  }

  FakeWechatPay wechat_pay_;
};

TEST_F(Fake, ExplainsASignatureThatDoesNotMatch) {
  const auto explanation_of = [this](const HttpRequest& bad) {
    const json detail = json::parse(wechat_pay_.answer(bad).body)["detail"];
    EXPECT_TRUE(detail.contains("sign_information"));
    return detail.value("explanation", "");
  };
  HttpRequest other_body = request();
  other_body.body = "{\"a\": 1}";
  EXPECT_TRUE(contains(explanation_of(other_body), "Key and scheme are right"));
  HttpRequest no_body = request(seed_path, "");
  no_body.body = seed_body;
  EXPECT_TRUE(contains(explanation_of(no_body), "an empty body"));

  const std::string nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
  const HttpRequest first = signed_request({"POST", seed_path, now, nonce, seed_body});
  ASSERT_EQ(wechat_pay_.answer(first).status, 204);
  EXPECT_TRUE(contains(explanation_of(with_authorization(first, nonce, "0123456789ABCDEF0123456789ABCDEF")),
                       "the nonce of another request"));

  const std::string message =
      "POST\n" + std::string(seed_path) + "\n" + std::to_string(now) + "\n" + nonce + "\n" + seed_body + "\n";
  HttpRequest platform_signs = first;
  std::string& value = platform_signs.headers[0].value;
  const std::size_t at = value.find("signature=\"") + 11;
  value.replace(at, 344, sign_with(read_key(public_key_test_key).get(), message));
  EXPECT_TRUE(contains(explanation_of(platform_signs), "the private key of WeChat Pay's public key"));
}

TEST_F(Fake, RemembersAndSignsAGoodCommit) {
  const HttpResponse response = wechat_pay_.answer(request());
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(verify(response, wechat_pay_.platform_keys(), at(now)).value().serial, wechat_pay_.public_key_id());
  const auto committed = wechat_pay_.committed();
  ASSERT_EQ(committed.size(), 1U);
  EXPECT_EQ(committed[0].times, 1U);
  EXPECT_EQ(committed[0].request.card_id, "478515832665");
  EXPECT_EQ(committed[0].request.bonus_value, 30);
  wechat_pay_.answer(request());
  EXPECT_EQ(wechat_pay_.times_committed("1217752501201407033233368018"), 2U);
  EXPECT_EQ(wechat_pay_.times_committed("1217752501201407033233368019"), 0U);
}

TEST_F(Fake, SignsWithTheKeyThatTheMerchantsStageAndTheAnnouncementDecide) {
  const std::string& public_key = wechat_pay_.public_key_id();
  const std::string& certificate = wechat_pay_.certificate_serial();
  EXPECT_EQ(wechat_pay_.stage(), MerchantStage::public_key);
  EXPECT_EQ(signer(request()), public_key);
  EXPECT_EQ(signer(announcing(request(), "")), public_key) << "as clients do that know pub_key.pem alone";

  wechat_pay_.set_stage(MerchantStage::switching);
  EXPECT_EQ(signer(announcing(request(), "")), certificate);
  EXPECT_EQ(signer(announcing(request(), certificate)), certificate);
  EXPECT_EQ(signer(announcing(request(), public_key)), public_key);

  wechat_pay_.set_stage(MerchantStage::certificates);
  EXPECT_EQ(signer(announcing(request(), "")), certificate);
  EXPECT_EQ(signer(announcing(request(), certificate)), certificate);
}

TEST_F(Fake, RefusesAnAnnouncedKeyThatTheMerchantHasNot) {
  expect_refusal(announcing(request(), wechat_pay_.certificate_serial()), 400, "PARAM_ERROR",
                 "平台证书序列号Wechatpay-Serial错误");
  expect_refusal(announcing(request(), "PUB_KEY_ID_0"), 400, "PARAM_ERROR", "Wechatpay-Serial");
  wechat_pay_.set_stage(MerchantStage::switching);
  expect_refusal(announcing(request(), "PUB_KEY_ID_0"), 400, "PARAM_ERROR", "Wechatpay-Serial");
  wechat_pay_.set_stage(MerchantStage::certificates);
  expect_refusal(request(), 400, "PARAM_ERROR", "Wechatpay-Serial");
}

TEST_F(Fake, GivesTheKeysOfTheMerchantsStage) {
  const std::vector<std::string> public_key = {wechat_pay_.public_key_id()};
  const std::vector<std::string> certificate = {wechat_pay_.certificate_serial()};
  EXPECT_EQ(wechat_pay_.platform_keys().serials(), public_key);
  wechat_pay_.set_stage(MerchantStage::switching);
  EXPECT_EQ(wechat_pay_.platform_keys().serials().size(), 2U);
  EXPECT_EQ(wechat_pay_.platform_keys().announced(), wechat_pay_.public_key_id());
  wechat_pay_.set_stage(MerchantStage::certificates);
  EXPECT_EQ(wechat_pay_.platform_keys().serials(), certificate);
}

TEST_F(Fake, HasNoCertificatesToListWhereTheMerchantHasThePublicKeyAlone) {
  const HttpResponse response = wechat_pay_.answer(certificates_request());
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(json::parse(response.body)["code"], "RESOURCE_NOT_EXISTS");
  EXPECT_TRUE(verify(response, wechat_pay_.platform_keys(), at(now)));
}

/// Decrypts like a client. The tag is at the end of `sealed`.
std::string decrypted(const std::string& sealed, const std::string& key, const std::string& nonce,
                      const std::string& associated_data) {
  const auto bytes = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  std::string text(sealed.size() - 16, '\0');
  std::string tag = sealed.substr(text.size());
  int size = 0;
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  const bool done = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce)) == 1 &&
                    EVP_DecryptUpdate(context, nullptr, &size, bytes(associated_data),
                                      static_cast<int>(associated_data.size())) == 1 &&
                    EVP_DecryptUpdate(context, reinterpret_cast<unsigned char*>(text.data()), &size, bytes(sealed),
                                      static_cast<int>(text.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(context, reinterpret_cast<unsigned char*>(text.data()), &size) == 1;
  EVP_CIPHER_CTX_free(context);
  return done ? text : "not decrypted";
}

TEST_F(Fake, ListsItsCertificateEncryptedWithTheApiV3Key) {
  wechat_pay_.set_stage(MerchantStage::certificates);
  const HttpResponse response = wechat_pay_.answer(certificates_request());
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(verify(response, wechat_pay_.platform_keys(), at(now)).value().serial, wechat_pay_.certificate_serial());
  const json list = json::parse(response.body)["data"];
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["serial_no"], wechat_pay_.certificate_serial());
  for (const char* time : {"effective_time", "expire_time"}) {
    EXPECT_TRUE(
        std::regex_match(list[0][time].get<std::string>(), std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00)")))
        << list[0][time];
  }
  const json sealed = list[0]["encrypt_certificate"];
  EXPECT_EQ(sealed["algorithm"], "AEAD_AES_256_GCM");
  EXPECT_EQ(wechat_pay_.api_v3_key().size(), 32U);
  EXPECT_EQ(decrypted(decode_base64(sealed["ciphertext"].get<std::string>()).value(), wechat_pay_.api_v3_key(),
                      sealed["nonce"], sealed["associated_data"]),
            wechat_pay_.certificate_pem());
}

TEST_F(Fake, ListsCertificatesForSignedGetsAlone) {
  wechat_pay_.set_stage(MerchantStage::certificates);
  expect_refusal(with_authorization(certificates_request(), "signature=\"", "signature=\"A"), 401, "SIGN_ERROR",
                 "not match");
  const HttpResponse response = wechat_pay_.answer(request("/v3/certificates", "{}"));
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header_value(response.headers, "Allow"), "GET");
}

TEST_F(Fake, TakesAcceptAsRealClientsSendIt) {
  const auto status_of = [&](const char* accept) {
    HttpRequest made = request();
    set(made, "Accept", accept);
    return wechat_pay_.answer(made).status;
  };
  for (const char* good :
       {"application/json", "*/*", "APPLICATION/JSON", "application/*", "application/json;charset=utf-8",
        "application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html , application/json ; q=0.1",
        "application/json;q=1.0"}) {
    EXPECT_EQ(status_of(good), 204) << good;
  }
  for (const char* bad : {"", "text/html", "application/jsonp", "application/json;q=0", "text/plain, */*; q=0.000",
                          "application/json-patch+json", ",", "json"}) {
    EXPECT_EQ(status_of(bad), 400) << bad;
  }
}

TEST_F(Fake, LooksForAcceptInEachHeaderOfThatName) {
  HttpRequest made = request();
  made.headers.push_back({"accept", "application/json"});
  set(made, "Accept", "text/html");
  EXPECT_EQ(wechat_pay_.answer(made).status, 204);
}

TEST_F(Fake, ComparesTheWholePathDecodedAndSignsItAsSent) {
  const std::string odd = "/v3/marketing/membercard%2dopen/%63ards/a/codes/b/bonus/comm%69t";
  EXPECT_EQ(wechat_pay_.answer(request(odd)).status, 204);
  EXPECT_EQ(wechat_pay_.answer(request("/v3/marketing/membercard-open/cards/a%2Fb/codes/c/bonus/commit")).status, 204);
  EXPECT_EQ(wechat_pay_.committed().back().request.card_id, "a/b");
  HttpRequest signed_decoded = request("/v3/marketing/membercard-open/cards/a/codes/b/bonus/commit");
  signed_decoded.path = odd;
  EXPECT_EQ(wechat_pay_.answer(signed_decoded).status, 401);
}

TEST_F(Fake, TakesAQueryStringThatIsSigned) {
  HttpRequest made = request(std::string(seed_path) + "?a=1&b=%2F");
  EXPECT_EQ(wechat_pay_.answer(made).status, 204);
  made = request();
  made.path += "?a=1";
  EXPECT_EQ(wechat_pay_.answer(made).status, 401);
}

TEST_F(Fake, TakesNoNonceTwice) {
  const HttpRequest made = request();
  EXPECT_EQ(wechat_pay_.answer(with_authorization(made, "signature=\"", "signature=\"A")).status, 401);
  EXPECT_EQ(wechat_pay_.answer(made).status, 204) << "a wrong signature uses up nobody's nonce";
  const HttpResponse again = wechat_pay_.answer(made);
  EXPECT_EQ(again.status, 401);
  EXPECT_TRUE(contains(again.body, "nonce_str was used before")) << again.body;
  EXPECT_EQ(wechat_pay_.times_committed("1217752501201407033233368018"), 1U);
}

TEST_F(Fake, ForgetsANonceOnceItsTimestampIsNoLongerTaken) {
  std::int64_t clock = now;
  FakeWechatPay wechat_pay({"1900000001", [&clock] { return at(clock); }});
  const auto made = [&](std::int64_t timestamp) {
    HttpRequest other = request();
    other.headers[0].value =
        authorization(wechat_pay.credentials(), {"POST", seed_path, timestamp, "one", seed_body}).value();
    return other;
  };
  EXPECT_EQ(wechat_pay.answer(made(now + 300)).status, 204);
  clock = now + 600;
  EXPECT_EQ(wechat_pay.answer(made(now + 300)).status, 401);
  clock = now + 601;
  EXPECT_EQ(wechat_pay.answer(made(clock)).status, 204);
}

TEST_F(Fake, GivesEveryAnswerItsOwnRequestIdAndNonce) {
  const HttpResponse one = wechat_pay_.answer(request());
  const HttpResponse two = wechat_pay_.answer(request());
  EXPECT_NE(header_value(one.headers, "Request-ID"), header_value(two.headers, "Request-ID"));
  EXPECT_NE(header_value(one.headers, "Wechatpay-Nonce"), header_value(two.headers, "Wechatpay-Nonce"));
}

TEST_F(Fake, DecodesPathValues) {
  BonusCommitRequest odd = seed_request();
  odd.card_id = "a/b?c#d%e f+中";
  EXPECT_EQ(wechat_pay_.answer(request(request_path(odd))).status, 204);
  EXPECT_EQ(wechat_pay_.committed().at(0).request.card_id, odd.card_id);
}

TEST_F(Fake, Answers404And405WithoutABody) {
  EXPECT_EQ(wechat_pay_.answer(request("/v3/other")).status, 404);
  EXPECT_EQ(wechat_pay_.answer(request("/v3/marketing/membercard-open/cards/a/codes/b/bonus/commit/c")).status, 404);
  EXPECT_EQ(wechat_pay_.answer(request("/v3/marketing/membercard-open/cards/%G0/codes/b/bonus/commit")).status, 404);
  HttpRequest get = request();
  get.method = "GET";
  EXPECT_EQ(wechat_pay_.answer(get).status, 405);
  EXPECT_EQ(wechat_pay_.answer(get).body, "");
}

TEST_F(Fake, DecodesPathValuesInEitherCase) {
  EXPECT_EQ(wechat_pay_.answer(request("/v3/marketing/membercard-open/cards/%e4%B8%ad/codes/%41/bonus/commit")).status,
            204);
  EXPECT_EQ(wechat_pay_.committed().at(0).request.card_id, "中");
  EXPECT_EQ(wechat_pay_.committed().at(0).request.code, "A");
  for (const char* bad : {"%", "%4", "%4g", "%%41"}) {
    const std::string path = std::string("/v3/marketing/membercard-open/cards/a/codes/") + bad + "/bonus/commit";
    EXPECT_EQ(wechat_pay_.answer(request(path)).status, 404) << bad;
  }
}

TEST_F(Fake, LooksAtPathValues) {
  const auto path_of = [](const std::string& code) {
    return "/v3/marketing/membercard-open/cards/a/codes/" + code + "/bonus/commit";
  };
  expect_refusal(request(path_of("")), 400, "PARAM_ERROR", "must not be empty");
  expect_refusal(request(path_of("..")), 400, "PARAM_ERROR", "dot segment");
  expect_refusal(request(path_of("%2E")), 400, "PARAM_ERROR", "dot segment");
  expect_refusal(request(path_of("%00")), 400, "PARAM_ERROR", "control characters");
  expect_refusal(request(path_of("%7F")), 400, "PARAM_ERROR", "control characters");
  expect_refusal(request(path_of("%C2%9F")), 400, "PARAM_ERROR", "control characters");
  expect_refusal(request(path_of("%FF")), 400, "PARAM_ERROR", "UTF-8");
  expect_refusal(request(path_of("%F0%9F%98%80")), 400, "PARAM_ERROR", "four bytes");
  expect_refusal(request(path_of(std::string(33, '1'))), 400, "PARAM_ERROR", "at most 32 characters");
  EXPECT_EQ(wechat_pay_.answer(request(path_of(std::string(32, '1')))).status, 204);
  EXPECT_EQ(wechat_pay_.answer(request(path_of("%C2%A0%20"))).status, 204) << "the documents do not speak of blanks";
}

TEST_F(Fake, LooksAtTheFirstAndTheLastOfWhatAValueMayHold) {
  const auto path_of = [](const std::string& code) {
    return "/v3/marketing/membercard-open/cards/a/codes/" + code + "/bonus/commit";
  };
  expect_refusal(request(path_of("%1F")), 400, "PARAM_ERROR", "control characters");
  expect_refusal(request(path_of("%C2%80")), 400, "PARAM_ERROR", "control characters");
  expect_refusal(request(path_of("%F0%90%80%80")), 400, "PARAM_ERROR", "four bytes");
  std::string characters;
  for (int i = 0; i < 33; ++i) characters += "%E4%B8%AD";
  expect_refusal(request(path_of(characters)), 400, "PARAM_ERROR", "at most 32 characters");
  for (const std::string& taken :
       {characters.substr(9), std::string("%20"), std::string("~"), std::string("%C3%80"), std::string("%EF%BF%BD")}) {
    EXPECT_EQ(wechat_pay_.answer(request(path_of(taken))).status, 204) << taken;
  }
}

TEST_F(Fake, ShowsNoMoreOfAValueAndOfWhatItSignedThanAPersonCanRead) {
  const std::string body = R"({"out_trade_no":")" + std::string(600, '1') + R"(","sub_mchid":"2","bonus_value":1})";
  const HttpResponse refused = wechat_pay_.answer(request(seed_path, body));
  EXPECT_EQ(json::parse(refused.body)["detail"]["value"], std::string(64, '1'));
  const std::string nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
  HttpRequest other = signed_request({"POST", seed_path, now, nonce, body});
  other.body.back() = ' ';
  const json sign = json::parse(wechat_pay_.answer(other).body)["detail"]["sign_information"];
  const std::string message = signing_message({"POST", seed_path, now, nonce, other.body});
  EXPECT_EQ(sign["truncated_sign_message"], message.substr(0, 512));
  EXPECT_EQ(sign["sign_message_length"], message.size());
}

TEST_F(Fake, TakesANonceOf1To32Characters) {
  const auto with_nonce = [this](const std::string& nonce) {
    HttpRequest made = request();
    made.headers[0].value =
        authorization(wechat_pay_.credentials(), {"POST", seed_path, now, nonce, seed_body}).value();
    return made;
  };
  expect_refusal(with_nonce(""), 401, "SIGN_ERROR", "1 to 32 characters");
  expect_refusal(with_nonce(std::string(33, 'n')), 401, "SIGN_ERROR", "1 to 32 characters");
  EXPECT_EQ(wechat_pay_.answer(with_nonce("n")).status, 204);
  EXPECT_EQ(wechat_pay_.answer(with_nonce(std::string(32, 'n'))).status, 204);
}

TEST_F(Fake, TakesNoSignatureOfAnotherForm) {
  const std::string nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
  const std::string good = signed_request({"POST", seed_path, now, nonce, seed_body}).headers[0].value;
  const std::size_t begin = good.find("signature=\"") + 11;
  const std::string signature = good.substr(begin, 344);
  ASSERT_EQ(good[begin + 344], '"');
  for (const std::string& bad : {std::string(), std::string("="), std::string("A"), signature.substr(0, 343),
                                 signature.substr(0, 342) + "==" + "=", signature.substr(0, 340), signature + "AAAA",
                                 signature.substr(0, 343) + "A", std::string(344, 'A'), std::string(342, '*') + "==",
                                 " " + signature.substr(1), signature.substr(0, 341) + "==="}) {
    expect_refusal(with_authorization(signed_request({"POST", seed_path, now, nonce, seed_body}), signature, bad), 401,
                   "SIGN_ERROR", "the signature does not match the request");
  }
}

TEST_F(Fake, WantsPairsInAuthorization) {
  for (const char* form : {"mchid", "mchid=1900000001", "mchid=\"1900000001", "", "=\"\""}) {
    HttpRequest bad = request();
    bad.headers[0].value = std::string("WECHATPAY2-SHA256-RSA2048 ") + form;
    expect_refusal(bad, 401, "SIGN_ERROR", "Authorization: m");
  }
}

TEST_F(Fake, WantsFivePairsInAuthorizationAndNoOther) {
  expect_refusal(with_authorization(request(), "mchid=", "more=\"1\",mchid="), 401, "SIGN_ERROR", "five pairs");
}

TEST_F(Fake, WantsJsonToBeAccepted) {
  HttpRequest bad = request();
  set(bad, "Accept", "text/html");
  expect_refusal(bad, 400, "INVALID_REQUEST", "Accept must be application/json");
  set(bad, "Accept", "*/*");
  EXPECT_EQ(wechat_pay_.answer(bad).status, 204);
  set(bad, "Content-Type", "text/json");
  EXPECT_EQ(wechat_pay_.answer(bad).status, 400);
}

TEST_F(Fake, CountsTheCommitsOfAnOrderByItsNumberAlone) {
  const auto commit = [this](const std::string& out_trade_no, const std::string& points) {
    const std::string body =
        R"({"out_trade_no":")" + out_trade_no + R"(","sub_mchid":"2","bonus_value":)" + points + "}";
    EXPECT_EQ(wechat_pay_.answer(request(seed_path, body)).status, 204);
  };
  commit("2", "1");
  commit("1", "1");
  commit("2", "7");
  commit("3", "1");
  EXPECT_EQ(wechat_pay_.times_committed("2"), 2U);
  EXPECT_EQ(wechat_pay_.times_committed("1"), 1U);
  EXPECT_EQ(wechat_pay_.times_committed("0"), 0U);
  ASSERT_EQ(wechat_pay_.committed().size(), 3U);
  EXPECT_EQ(wechat_pay_.committed().at(1).times, 2U);
  EXPECT_EQ(wechat_pay_.committed().at(1).request.bonus_value, 7) << "what came last";
}

TEST_F(Fake, KeepsTheRequestIdOfAnAnswerThatHasOneAndDatesItBack) {
  const HttpResponse response =
      wechat_pay_.sign({204, {{"Request-ID", "mine"}}, ""}, request(), std::chrono::seconds(60));
  EXPECT_EQ(header_value(response.headers, "Request-ID"), "mine");
  EXPECT_EQ(std::count_if(response.headers.begin(), response.headers.end(),
                          [](const HttpHeader& header) { return header.name == "Request-ID"; }),
            1);
  EXPECT_EQ(header_value(response.headers, "Wechatpay-Timestamp"), std::to_string(now - 60));
}

TEST_F(Fake, WantsTheRequiredHeaders) {
  for (const char* name : {"User-Agent", "Accept", "Content-Type"}) {
    HttpRequest bad = request();
    set(bad, name, "");
    expect_refusal(bad, 400, "INVALID_REQUEST", name);
  }
}

TEST_F(Fake, LooksAtAuthorizationsForm) {
  expect_refusal(with_authorization(request(), "WECHATPAY2-SHA256-RSA2048", "Bearer"), 401, "SIGN_ERROR", "must begin");
  expect_refusal(with_authorization(request(), " mchid", "  mchid"), 401, "SIGN_ERROR", "blanks");
  expect_refusal(with_authorization(request(), "\",nonce_str", "\", nonce_str"), 401, "SIGN_ERROR", "no blanks");
  expect_refusal(with_authorization(request(), "nonce_str=", "nonce="), 401, "SIGN_ERROR",
                 "\"Authorization: nonce_str is missing\"");
  expect_refusal(with_authorization(request(), "\",timestamp=\"", "\";timestamp=\""), 401, "SIGN_ERROR", "commas");
  expect_refusal(with_authorization(request(), "mchid=", "serial_no=\"1\",mchid="), 401, "SIGN_ERROR", "twice");
  HttpRequest twice = request();
  twice.headers.push_back(twice.headers[0]);
  expect_refusal(twice, 401, "SIGN_ERROR", "exactly once");
}

TEST_F(Fake, RefusesAClockThatIsOff) {
  expect_refusal(request(seed_path, seed_body, now - 301), 401, "SIGN_ERROR", "5 minutes");
  expect_refusal(request(seed_path, seed_body, now + 301), 401, "SIGN_ERROR", "5 minutes");
  for (const char* bad : {"now", "", "1554208460 ", "-1554208460", "155420846012"}) {
    expect_refusal(with_authorization(request(), "timestamp=\"1554208460\"", std::string("timestamp=\"") + bad + "\""),
                   401, "SIGN_ERROR", "\"Authorization: timestamp must be Unix time in seconds\"");
  }
  EXPECT_EQ(wechat_pay_.answer(request(seed_path, seed_body, now - 300)).status, 204);
  EXPECT_EQ(wechat_pay_.answer(request(seed_path, seed_body, now + 300)).status, 204);
}

TEST_F(Fake, AnswersTextThatIsNotUtf8) {
  expect_refusal(with_authorization(request(), "1900000001", "\xFF"), 401, "SIGN_ERROR", "mchid");
}

TEST_F(Fake, RefusesAnotherMerchantAndAnotherSerialNumber) {
  expect_refusal(with_authorization(request(), "1900000001", "1900000002"), 401, "SIGN_ERROR",
                 "mchid is not the mchid in the subject of the merchant's certificate");
  expect_refusal(with_authorization(request(), "serial_no=\"", "serial_no=\"00"), 401, "SIGN_ERROR", "serial_no");
}

TEST_F(Fake, ShowsWhatItSignedWhereTheSignatureDoesNotMatch) {
  const std::string nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
  HttpRequest bad = signed_request({"POST", seed_path, now, nonce, seed_body});
  bad.body.back() = ' ';
  const HttpResponse response = wechat_pay_.answer(bad);
  EXPECT_EQ(response.status, 401);
  const json sign = json::parse(response.body)["detail"]["sign_information"];
  EXPECT_EQ(sign["method"], "POST");
  EXPECT_EQ(sign["url"], seed_path);
  EXPECT_EQ(sign["truncated_sign_message"], signing_message({"POST", seed_path, now, nonce, bad.body}));
  expect_refusal(with_authorization(request(), "signature=\"", "signature=\"A"), 401, "SIGN_ERROR", "not match");
}

TEST_F(Fake, LooksAtTheBodysFields) {
  const struct {
    const char* body;
    const char* says;
  } cases[] = {
      {"", "must be a JSON object"},
      {"[]", "must be a JSON object"},
      {R"({"mchid":"1","sub_mchid":"2","bonus_value":30})", "/out_trade_no"},
      {R"({"out_trade_no":17,"mchid":"1","sub_mchid":"2","bonus_value":30})", "must be a string"},
      {R"({"out_trade_no":"","mchid":"1","sub_mchid":"2","bonus_value":30})", "must not be empty"},
      {R"({"out_trade_no":"😀","mchid":"1","sub_mchid":"2","bonus_value":30})", "four bytes"},
      {R"({"out_trade_no":"1","mchid":null,"sub_mchid":"2","bonus_value":30})", "/mchid"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2","bonus_value":30,"other":null})", "must not be null"},
      {R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30,"other":[{"a":null}]})", "must not be null"},
      {R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30,"other":["😀"]})", "/other"},
      {R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30,"other":"\ud83d\ude00"})", "four bytes"},
      {R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30,"😀":1})", "four bytes"},
      {"\xEF\xBB\xBF"
       R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30})",
       "byte order mark"},
      {"null", "must not be null"},
      {"\"\xFF\"", "must be a JSON object"},
      {R"({"out_trade_no":"1","mchid":"x","sub_mchid":"2","bonus_value":30})", "is not a merchant's id"},
      {R"({"out_trade_no":"1","mchid":"","sub_mchid":"2","bonus_value":30})", "must not be empty"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"x","bonus_value":30})", "/sub_mchid"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"","bonus_value":30})", "/sub_mchid"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":2,"bonus_value":30})", "/sub_mchid"},
      {R"({"out_trade_no":"1","mchid":1,"sub_mchid":"2","bonus_value":30})", "/mchid"},
      {R"({"out_trade_no":"123456789012345678901234567890123","sub_mchid":"2","bonus_value":30})", "at most 32"},
      {R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":-9223372036854775808})", "must be positive"},
      {R"({"out_trade_no":"1","bonus_value":30})", "mchid or sub_mchid"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2"})", "/bonus_value"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2","bonus_value":"30"})", "integer"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2","bonus_value":30.5})", "integer"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2","bonus_value":9223372036854775808})", "integer"},
      {R"({"out_trade_no":"1","mchid":"1","sub_mchid":"2","bonus_value":0})", "must be positive"},
      {R"({"out_trade_no":"1","mchid":"1","bonus_value":30})", "不匹配"},
  };
  for (const auto& each : cases) expect_refusal(request(seed_path, each.body), 400, "PARAM_ERROR", each.says);
}

TEST_F(Fake, NamesTheFirstFaultOfABodyAndWhereItIs) {
  const auto detail_of = [this](const std::string& body) {
    return json::parse(wechat_pay_.answer(request(seed_path, body)).body)["detail"];
  };
  const json first = detail_of(R"({"a":null,"b":"😀","out_trade_no":17})");
  EXPECT_EQ(first, json({{"field", "/a"}, {"value", "null"}, {"issue", "must not be null"}, {"location", "body"}}));
  EXPECT_EQ(detail_of("null")["field"], "");
  EXPECT_EQ(detail_of(R"({"out_trade_no":17})")["value"], "17");
  const json path = json::parse(
      wechat_pay_.answer(request("/v3/marketing/membercard-open/cards/a/codes/../bonus/commit")).body)["detail"];
  EXPECT_EQ(path["field"], "code");
  EXPECT_EQ(path["location"], "path");
}

TEST_F(Fake, TakesABodyOfAsManyLevelsAsAnyApiHas) {
  const auto nested = [](std::size_t levels) {
    return R"({"out_trade_no":"1","sub_mchid":"2","bonus_value":30,"other":)" + std::string(levels, '[') +
           std::string(levels, ']') + "}";
  };
  EXPECT_EQ(wechat_pay_.answer(request(seed_path, nested(64))).status, 204);
  const HttpResponse response = wechat_pay_.answer(request(seed_path, nested(65)));
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(contains(response.body, "nested too deeply")) << response.body;
}

TEST_F(Fake, RemembersAHundredThousandNonces) {
  NonceMemory nonces;
  constexpr int most = 100'000;
  for (int i = 0; i < most; ++i) ASSERT_TRUE(nonces.is_new(std::to_string(i), now));
  EXPECT_FALSE(nonces.is_new("0", now));
  EXPECT_TRUE(nonces.is_new(std::to_string(most), now));
  EXPECT_TRUE(nonces.is_new("0", now)) << "it was the oldest";
  EXPECT_FALSE(nonces.is_new(std::to_string(most), now));
  EXPECT_EQ(nonces.latest().size(), 100U);
  EXPECT_EQ(nonces.latest().front(), "0");
}

TEST_F(Fake, AnswersAHundredThousandNestedArrays) {
  const std::string deep(100'000, '[');
  expect_refusal(request(seed_path, deep), 400, "PARAM_ERROR", "nested too deeply");
  expect_refusal(request(seed_path, R"({"out_trade_no":)" + deep + std::string(deep.size(), ']') + "}"), 400,
                 "PARAM_ERROR", "nested too deeply");
}

TEST_F(Fake, TakesEachMerchantMode) {
  EXPECT_EQ(
      wechat_pay_.answer(request(seed_path, R"({"out_trade_no":"1","mchid":"1900000001","bonus_value":1})")).status,
      204);
  EXPECT_EQ(wechat_pay_.answer(request(seed_path, R"({"out_trade_no":"2","sub_mchid":"2","bonus_value":1})")).status,
            204);
  EXPECT_EQ(wechat_pay_.committed().at(0).request.merchant_mode, MerchantMode::direct);
  EXPECT_EQ(wechat_pay_.committed().at(1).request.merchant_mode, MerchantMode::partner);
}

TEST_F(Fake, TakesWhatTheDocumentsDoNotSpeakOf) {
  const std::string body = R"({"out_trade_no":" 1\u200b","sub_mchid":"2","bonus_value":9223372036854775807,"x":[1]})";
  EXPECT_EQ(wechat_pay_.answer(request(seed_path, body)).status, 204);
  EXPECT_EQ(wechat_pay_.committed().at(0).request.bonus_value, 9223372036854775807);
}

TEST_F(Fake, TakesHeaderNamesAndContentTypeInAnyCase) {
  HttpRequest other = request();
  for (HttpHeader& header : other.headers) {
    if (header.name == "Content-Type") header.value = "Application/JSON; charset=utf-8";
    for (char& c : header.name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  EXPECT_EQ(wechat_pay_.answer(other).status, 204);
}

TEST_F(Fake, TellsItsLatestOrdersAndHowManyThereAre) {
  const std::string seed = seed_body;
  for (const char* number : {"b", "a", "c", "b"}) {
    const std::string body = R"({"out_trade_no":")" + std::string(number) + seed.substr(seed.find("\",\"mchid"));
    ASSERT_EQ(wechat_pay_.answer(request(seed_path, body)).status, 204) << body;
  }
  EXPECT_EQ(wechat_pay_.count_committed(), 3U);
  const auto latest = wechat_pay_.latest_committed(2);
  ASSERT_EQ(latest.size(), 2U);
  EXPECT_EQ(latest[0].request.out_trade_no, "b");
  EXPECT_EQ(latest[0].times, 2U);
  EXPECT_EQ(latest[1].request.out_trade_no, "c");
  EXPECT_EQ(wechat_pay_.latest_committed(9).size(), 3U);
}

TEST_F(Fake, TakesBlanksBeforeAContentTypesParameter) {
  HttpRequest other = request();
  set(other, "Content-Type", "application/json \t; charset=utf-8");
  EXPECT_EQ(wechat_pay_.answer(other).status, 204);
}

TEST_F(Fake, HasTheSameRsaKeysInEveryProcessAndCertificatesOfItsOwn) {
  const FakeWechatPay other;
  EXPECT_EQ(other.merchant_key_pem(), merchant_test_key);
  EXPECT_EQ(other.public_key_pem(), public_key_pem(read_key(public_key_test_key).get()));
  EXPECT_NE(other.certificate_serial(), wechat_pay_.certificate_serial());
}

TEST_F(Fake, SignsAScriptedError) {
  const HttpResponse response = wechat_pay_.error(403, "NO_AUTH", "no permission", request(), R"({"field":"x"})");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, R"({"code":"NO_AUTH","message":"no permission","detail":{"field":"x"}})");
  EXPECT_TRUE(verify(response, wechat_pay_.platform_keys(), at(now)));
}

}  // namespace
}  // namespace wechatpay::bonus_commit

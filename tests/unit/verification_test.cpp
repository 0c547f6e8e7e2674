#include "wechatpay/bonus_commit/stages/verification.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr std::int64_t verified_at = 1722850421;

/// A signed 204, and functions to spoil it.
class Verify : public ::testing::Test {
 protected:
  Verify()
      : wechat_pay_({"1900000001", [this] { return at(verified_at - offset_); }, MerchantStage::switching}),
        keys_(wechat_pay_.platform_keys()) {}

  HttpResponse signed_answer() {
    HttpRequest request;
    request.headers = {{"Wechatpay-Serial", keys_.announced()}};
    return wechat_pay_.sign({204, {}, ""}, request);
  }

  static void set(HttpResponse& response, std::string_view name, const std::string& value) {
    for (HttpHeader& header : response.headers) {
      if (same_token(header.name, name)) header.value = value;
    }
  }

  void expect_fault(const HttpResponse& response, VerificationFault fault, const std::string& says) {
    const auto result = verify(response, keys_, at(verified_at));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::unverified_answer);
    EXPECT_EQ(result.error().outcome, Outcome::unknown);
    EXPECT_EQ(to_string(result.error().verification_fault()), to_string(fault));
    EXPECT_TRUE(contains(result.error().message, says)) << result.error().message;
  }

  std::int64_t offset_ = 0;
  FakeWechatPay wechat_pay_;
  PlatformKeys keys_;
};

TEST(Verification, AcceptsWeChatPaysPublishedExample) {
  const std::filesystem::path vectors = WECHATPAY_TEST_VECTORS;
  const auto example = nlohmann::json::parse(read_text(vectors / "vectors.json"))["verify"][0];
  const auto body = example["body"].get<std::string>();
  PlatformKeys keys;
  const std::string id = "PUB_KEY_ID_0114232134912410000000000000000000";
  ASSERT_TRUE(keys.add_public_key(id, read_text(vectors / example["public_key_file"].get<std::string>())));
  HttpResponse response{200,
                        {{"wechatpay-timestamp", std::to_string(example["timestamp"].get<std::int64_t>())},
                         {"wechatpay-nonce", example["nonce"].get<std::string>()},
                         {"wechatpay-signature", example["signature"].get<std::string>()},
                         {"wechatpay-serial", id}},
                        body};
  const auto verified = verify(response, keys, at(example["timestamp"].get<std::int64_t>() + 7));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->serial, id);
  EXPECT_EQ(verified->clock_offset.count(), 7);

  response.body[0] = '[';
  EXPECT_FALSE(verify(response, keys, at(example["timestamp"].get<std::int64_t>())));
}

TEST_F(Verify, AcceptsASigned204UnderThePublicKeyAndUnderTheCertificate) {
  EXPECT_EQ(verify(signed_answer(), keys_, at(verified_at)).value().serial, wechat_pay_.public_key_id());
  ASSERT_TRUE(keys_.announce(wechat_pay_.certificate_serial()));
  EXPECT_EQ(verify(signed_answer(), keys_, at(verified_at)).value().serial, wechat_pay_.certificate_serial());
}

TEST_F(Verify, RepeatsNoSignatureThatStandsInTheWrongHeader) {
  const HttpResponse answer = signed_answer();
  const std::string signature(header_value(answer.headers, "Wechatpay-Signature"));
  for (const char* name : {"Wechatpay-Serial", "Wechatpay-Signature-Type", "Wechatpay-Timestamp"}) {
    HttpResponse mixed_up = answer;
    set(mixed_up, name, signature);
    const auto result = verify(mixed_up, keys_, at(verified_at));
    ASSERT_FALSE(result) << name;
    EXPECT_TRUE(contains(result.error().message, "[redacted]")) << result.error().message;
    EXPECT_FALSE(contains(result.error().message, signature.substr(0, 20))) << result.error().message;
  }
}

TEST_F(Verify, AnswersOpenSslToo) {
  const TemporaryFolder folder;
  const HttpResponse answer = signed_answer();
  const auto header = [&](const char* name) { return std::string(header_value(answer.headers, name)); };
  const auto message = verification_message(header("Wechatpay-Timestamp"), header("Wechatpay-Nonce"), answer.body);
  EXPECT_EQ(message.substr(message.size() - 2), "\n\n") << "an empty body is an empty line";
  const auto key = folder.write("pub_key.pem", wechat_pay_.public_key_pem());
  const auto signature = folder.write("signature", decode_base64(header("Wechatpay-Signature")).value());
  const auto file = folder.write("message", message);
  const auto result = run("openssl dgst -sha256 -verify " + shell_word(key) + " -signature " + shell_word(signature) +
                          " " + shell_word(file));
  EXPECT_EQ(result.output, "Verified OK\n");
}

TEST_F(Verify, WantsEachHeaderExactlyOnce) {
  for (const char* name : {"Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"}) {
    HttpResponse missing = signed_answer();
    HttpHeaders kept;
    for (const HttpHeader& header : missing.headers) {
      if (header.name != name) kept.push_back(header);
    }
    missing.headers = kept;
    expect_fault(missing, VerificationFault::header_missing, std::string(name) + " is missing");

    HttpResponse repeated = signed_answer();
    repeated.headers.push_back({upper_case(name), std::string(header_value(repeated.headers, name))});
    expect_fault(repeated, VerificationFault::header_repeated, std::string(name) + " occurs 2 times");
  }
}

TEST_F(Verify, WantsANumericTimestamp) {
  for (const char* bad : {"", "abc", "17228504 21", "+1722850421", "-1722850421", "1722850421.0", "0x66B0",
                          "99999999999999999999", "123456789012"}) {
    HttpResponse answer = signed_answer();
    set(answer, "Wechatpay-Timestamp", bad);
    expect_fault(answer, VerificationFault::timestamp_malformed, "not Unix time");
  }
}

TEST_F(Verify, RefusesANonceThatCouldMakeOtherLinesOfWhatWasSigned) {
  for (const std::string& bad :
       {std::string(), std::string("a\nb"), std::string("a\r"), std::string("\0", 1), std::string("a\tb"),
        std::string("a\x7F"), std::string("a\xC2\x85"), std::string("\xE2\x80\xA8"), std::string(" a")}) {
    HttpResponse answer = signed_answer();
    set(answer, "Wechatpay-Nonce", bad);
    expect_fault(answer, VerificationFault::nonce_malformed, "Wechatpay-Nonce must be visible ASCII");
  }
  // A part of the body is moved into the nonce, so the signed message stays the same.
  HttpRequest request;
  request.headers = {{"Wechatpay-Serial", keys_.announced()}};
  HttpResponse moved = wechat_pay_.sign({200, {}, "line\nrest"}, request);
  set(moved, "Wechatpay-Nonce", std::string(header_value(moved.headers, "Wechatpay-Nonce")) + "\nline");
  moved.body = "rest";
  expect_fault(moved, VerificationFault::nonce_malformed, "Wechatpay-Nonce must be visible ASCII");
}

TEST_F(Verify, FindsNoKeyUnderASerialWithAControlCharacter) {
  for (const char* bad : {"\n", "\t", "\x7F", " "}) {
    HttpResponse answer = signed_answer();
    set(answer, "Wechatpay-Serial", keys_.announced() + bad);
    expect_fault(answer, VerificationFault::serial_unknown, "none of the platform keys");
    answer = signed_answer();
    set(answer, "Wechatpay-Signature-Type", std::string("WECHATPAY2-SHA256-RSA2048") + bad);
    expect_fault(answer, VerificationFault::signature_type_unknown, "Wechatpay-Signature-Type");
  }
}

TEST_F(Verify, AllowsTheClocks300SecondsEitherWayAndTellsTheOffset) {
  for (const std::int64_t offset : {-300, -1, 0, 299, 300}) {
    offset_ = offset;
    const auto result = verify(signed_answer(), keys_, at(verified_at));
    ASSERT_TRUE(result) << offset << result.error().message;
    EXPECT_EQ(result->clock_offset.count(), offset);
  }
  offset_ = 301;
  expect_fault(signed_answer(), VerificationFault::timestamp_out_of_range, "301 s behind the local clock");
  offset_ = -600;
  expect_fault(signed_answer(), VerificationFault::timestamp_out_of_range, "600 s ahead of the local clock");
  EXPECT_EQ(verify(signed_answer(), keys_, at(verified_at)).error().answer()->clock_offset, std::chrono::seconds(-600));
}

TEST_F(Verify, NamesAnUnknownSerialAndTheKnownOnes) {
  HttpResponse answer = signed_answer();
  set(answer, "Wechatpay-Serial", "PUB_KEY_ID_99");
  expect_fault(answer, VerificationFault::serial_unknown, "PUB_KEY_ID_99, which is none of the platform keys");
  expect_fault(answer, VerificationFault::serial_unknown, wechat_pay_.public_key_id());
}

TEST_F(Verify, NamesASignatureProbe) {
  HttpResponse answer = signed_answer();
  set(answer, "Wechatpay-Signature", "WECHATPAY/SIGNTEST/abcdefgh==");
  expect_fault(answer, VerificationFault::signature_probe, "signature probe");
}

TEST_F(Verify, WantsStrictBase64) {
  const std::string good(header_value(signed_answer().headers, "Wechatpay-Signature"));
  for (const std::string& bad : {std::string("!"), std::string(), good + "\n", " " + good, good.substr(0, 343),
                                 good.substr(0, 342), good.substr(0, 100) + "-" + good.substr(101)}) {
    HttpResponse answer = signed_answer();
    set(answer, "Wechatpay-Signature", bad);
    expect_fault(answer, VerificationFault::signature_malformed, "not Base64");
  }
}

TEST_F(Verify, RefusesAnyChangeToWhatWasSigned) {
  HttpResponse body = signed_answer();
  body.body = " ";
  expect_fault(body, VerificationFault::signature_mismatch, "changed or forged");
  HttpResponse nonce = signed_answer();
  set(nonce, "Wechatpay-Nonce", "another");
  expect_fault(nonce, VerificationFault::signature_mismatch, "changed or forged");
  HttpResponse timestamp = signed_answer();
  set(timestamp, "Wechatpay-Timestamp", std::to_string(verified_at + 1));
  expect_fault(timestamp, VerificationFault::signature_mismatch, "changed or forged");
  HttpResponse serial = signed_answer();
  set(serial, "Wechatpay-Serial", wechat_pay_.certificate_serial());
  expect_fault(serial, VerificationFault::signature_mismatch, wechat_pay_.certificate_serial());
  HttpResponse shorter = signed_answer();
  set(shorter, "Wechatpay-Signature", "Zm9v");
  expect_fault(shorter, VerificationFault::signature_mismatch, "changed or forged");
}

TEST_F(Verify, LooksAtTheSignatureTypeWhereOneIsNamed) {
  HttpResponse answer = signed_answer();
  set(answer, "Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3");
  expect_fault(answer, VerificationFault::signature_type_unknown, "WECHATPAY2-SM2-WITH-SM3");
  answer = signed_answer();
  answer.headers.erase(std::remove_if(answer.headers.begin(), answer.headers.end(),
                                      [](const HttpHeader& h) { return h.name == "Wechatpay-Signature-Type"; }),
                       answer.headers.end());
  EXPECT_TRUE(verify(answer, keys_, at(verified_at)));
}

TEST_F(Verify, LeavesOpenSslsErrorQueueAsItFoundIt) {
  ERR_clear_error();
  HttpResponse answer = signed_answer();
  answer.body = "changed";
  ERR_raise(ERR_LIB_USER, 42);
  const unsigned long before = ERR_peek_last_error();
  EXPECT_FALSE(verify(answer, keys_, at(verified_at)));
  EXPECT_EQ(ERR_get_error(), before);
  EXPECT_EQ(ERR_get_error(), 0U);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

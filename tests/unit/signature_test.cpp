#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "src/testing/pki.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

const std::filesystem::path vectors = WECHATPAY_TEST_VECTORS;

TEST(Signature, EqualsWeChatPaysPublishedExamplesByteForByte) {
  const auto examples = nlohmann::json::parse(read_text(vectors / "vectors.json"))["sign"];
  ASSERT_EQ(examples.size(), 2U);
  for (const auto& example : examples) {
    const std::string key = read_text(vectors / example["private_key_file"].get<std::string>());
    const std::string body =
        example["body_file"].is_null() ? "" : read_text(vectors / example["body_file"].get<std::string>());
    const auto method = example["method"].get<std::string>();
    const auto path = example["path"].get<std::string>();
    const auto nonce = example["nonce_str"].get<std::string>();
    const auto mchid = example["mchid"].get<std::string>();
    const auto serial = example["serial_no"].get<std::string>();
    const auto credentials = Credentials::from_key(mchid, serial, key);
    const auto value =
        authorization(credentials.value(), {method, path, example["timestamp"].get<std::int64_t>(), nonce, body});
    EXPECT_EQ(value.value(), "WECHATPAY2-SHA256-RSA2048 mchid=\"" + mchid + "\",nonce_str=\"" + nonce +
                                 "\",signature=\"" + example["signature"].get<std::string>() +
                                 "\",timestamp=\"1554208460\",serial_no=\"" + serial + "\"")
        << example["name"];
  }
}

TEST(Signature, EqualsOpenSslsByteForByte) {
  const TemporaryFolder folder;
  for (const unsigned int bits : {2048U, 3072U}) {
    const std::string pem = private_key_pem(make_rsa_key(bits).get());
    const auto credentials = Credentials::from_key("1900000001", "0A", pem);
    const std::string key = folder.write("key.pem", pem);
    const std::string message = signing_message({"POST", seed_path, 1554208460, "593BEC0C930BF1AF", seed_body});
    const std::string file = folder.write("message", message);
    const auto expected = run("openssl dgst -sha256 -sign " + shell_word(key) + " " + shell_word(file));
    ASSERT_EQ(expected.status, 0);
    EXPECT_EQ(credentials.value().signer().sign(message).value(), expected.output) << bits;
  }
}

TEST(SigningMessage, HasFiveLinesEachEndedByOneLineFeed) {
  EXPECT_EQ(signing_message({"POST", "/v3/x", 1554208460, "NONCE", "{}"}), "POST\n/v3/x\n1554208460\nNONCE\n{}\n");
  EXPECT_EQ(signing_message({"GET", "/v3/x", 0, "N", ""}), "GET\n/v3/x\n0\nN\n\n");
}

TEST(Authorization, CarriesTheSignersOwnErrorAndOutcome) {
  class Broken final : public Signer {
    Result<std::string> sign(std::string_view) const override { return configuration_error("the HSM is locked"); }
  };
  const auto credentials = Credentials::from_signer("19", "0A", std::make_shared<Broken>());
  const auto value = authorization(credentials.value(), {"POST", "/", 0, "N", ""});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().kind, ErrorKind::signing_failed);
  EXPECT_EQ(value.error().outcome, Outcome::not_sent);
  EXPECT_EQ(value.error().message, "the HSM is locked");
}

TEST(Authorization, TakesHardlyMoreMemoryThanTheValue) {
  class Unused final : public Signer {
    Result<std::string> sign(std::string_view) const override { return std::string(); }
  };
  const auto credentials = Credentials::from_signer("1900000001", "ABCDEF", std::make_shared<Unused>());
  const SignedParts parts{"POST", seed_path, 1554208460, "593BEC0C930BF1AFEB40B4A08C8FB242", seed_body};
  const std::string value = authorization(credentials.value(), parts, std::string(344, 's'));
  EXPECT_LT(value.capacity(), value.size() + 32);
}

TEST(RandomNonce, Is32CharactersAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string nonce = random_nonce().value();
    EXPECT_EQ(nonce.size(), 32U);
    EXPECT_EQ(nonce.find_first_not_of("0123456789ABCDEF"), std::string::npos);
    seen.insert(nonce);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Base64, EncodesRfc4648sExamples) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode_base64(std::string(300, 'x')).find('\n'), std::string::npos);
}

TEST(Base64, DecodesWhatItEncodes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  }
}

TEST(Base64, DecodesNothingElse) {
  for (const char* text : {"", "Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==\n", " Zg=", "Zg= ", "Zm 8", "Zm-_",
                           "Zg==Zg==", "    Zm9v", "Zm9v    ", "Zm9vZm9=", "WECHATPAY/SIGNTEST/=", "中文!!"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
  EXPECT_EQ(decode_base64(std::string(1U << 20U, 'A')), std::nullopt);
  EXPECT_EQ(decode_base64(std::string(65540, 'A')), std::nullopt);
  EXPECT_EQ(decode_base64(std::string(65536, 'A')), std::string(49152, '\0')) << "the longest that is decoded";
}

}  // namespace
}  // namespace wechatpay::bonus_commit

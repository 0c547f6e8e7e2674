#include "src/testing/signature_explanation.hpp"

#include <gtest/gtest.h>
#include <openssl/rsa.h>

#include <string>
#include <vector>

#include "src/testing/pki.hpp"
#include "src/testing/recovered_signature.hpp"
#include "src/testing/test_keys.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

const std::string url = "/v3/marketing/membercard-open/cards/4785%2F%E7%A7%AF/codes/12%2034/bonus/commit";
const std::string decoded_url = "/v3/marketing/membercard-open/cards/4785/积/codes/12 34/bonus/commit";
const std::string timestamp = "1554208460";
const std::string nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
const std::string body =
    R"({"out_trade_no":"订单/1&2","mchid":"1230000109","sub_mchid":"1900000109","bonus_value":30})";

const MessageParts parts_sent{"POST", url, timestamp, nonce, body};
const MessageContext context{"127.0.0.1:8443", "1900000001", "0A8B07E7", {"0123456789ABCDEF0123456789ABCDEF"}};

EVP_PKEY* platform_key() {
  static const PkeyHandle key = read_key(public_key_test_key);
  return key.get();
}

std::string explanation(const std::string& signature, const MessageParts& parts = parts_sent) {
  return explain_signature(parts, context, signature, test_key(),
                           {{"the private key of WeChat Pay's public key", platform_key()}});
}

std::string explanation_of_message(const std::string& message, const MessageParts& parts = parts_sent) {
  return explanation(sign_with(test_key(), message), parts);
}

std::string lines(const std::string& method, const std::string& path, const std::string& time,
                  const std::string& random, const std::string& text) {
  return method + "\n" + path + "\n" + time + "\n" + random + "\n" + text + "\n";
}

std::string with_body(const std::string& text) { return lines("POST", url, timestamp, nonce, text); }
std::string with_url(const std::string& text) { return lines("POST", text, timestamp, nonce, body); }
std::string with_time(const std::string& text) { return lines("POST", url, text, nonce, body); }
std::string with_nonce(const std::string& text) { return lines("POST", url, timestamp, text, body); }

/// The raw RSA operation on `text`: only a padding, as in PHP's openssl_private_encrypt(), or what `set_up` configures.
template <typename SetUp>
std::string signed_as(const std::string& text, SetUp set_up) {
  const PkeyContextHandle operation(EVP_PKEY_CTX_new(test_key(), nullptr));
  std::string raw(256, '\0');
  std::size_t size = raw.size();
  EXPECT_EQ(EVP_PKEY_sign_init(operation.get()), 1);
  set_up(operation.get());
  EXPECT_EQ(EVP_PKEY_sign(operation.get(), reinterpret_cast<unsigned char*>(raw.data()), &size,
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()),
            1);
  return encode_base64(raw);
}

std::string digest_by(const EVP_MD* function, const std::string& message) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, function, nullptr);
  digest.resize(size);
  return digest;
}

std::string signed_with_digest(const EVP_MD* function, const std::string& message) {
  return signed_as(digest_by(function, message),
                   [function](EVP_PKEY_CTX* one) { EVP_PKEY_CTX_set_signature_md(one, function); });
}

std::string hex_of(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    hex += digits[static_cast<unsigned char>(c) >> 4U];
    hex += digits[static_cast<unsigned char>(c) & 15U];
  }
  return hex;
}

struct Mistake {
  std::string signed_message;
  std::string says;
};

void expect_named(const std::vector<Mistake>& mistakes) {
  for (const auto& [message, says] : mistakes) {
    const std::string text = explanation_of_message(message);
    EXPECT_TRUE(contains(text, says)) << "for\n" << message << "\nit says: " << text;
  }
}

TEST(SignatureExplanation, HasNothingToSayOfAGoodSignature) {
  EXPECT_EQ(explanation_of_message(message_of(parts_sent)), "");
  EXPECT_EQ(message_of(parts_sent), lines("POST", url, timestamp, nonce, body));
}

TEST(SignatureExplanation, NamesMistakesInTheFormOfTheMessage) {
  const std::string good = message_of(parts_sent);
  expect_named({{good.substr(0, good.size() - 1), "no line feed after the body"},
                {good + "\n", "one line feed too many"},
                {replaced(good, "\n", "\r\n"), "CR LF"},
                {replaced(good, "\n", "\\n"), "a backslash and an n"},
                {replaced(good, "\n", ""), "without line feeds"},
                {"POST\n" + url + "\n" + timestamp + "\n" + nonce + "\n", "four lines, without the body"},
                {timestamp + "\n" + nonce + "\n" + body + "\n", "the three lines of an answer"},
                {body, "signed only the body"},
                {lines("POST", url, nonce, timestamp, body), "in another order"},
                {"POST\n" + timestamp + "\n" + nonce + "\n" + url + "\n" + body + "\n", "in another order"},
                {sha256(good), "it was hashed twice"},
                {hex_of(sha256(good)), "it was hashed twice"}});
}

TEST(SignatureExplanation, NamesMistakesInMethodAndUrl) {
  expect_named({{lines("post", url, timestamp, nonce, body), "the method in lower case"},
                {lines("GET", url, timestamp, nonce, body), "another method"},
                {with_url("https://127.0.0.1:8443" + url), "the URL with its host"},
                {with_url("https://127.0.0.1" + url), "the URL with its host"},
                {with_url("https://api.mch.weixin.qq.com" + url), "the URL with its host"},
                {with_url("api.mch.weixin.qq.com" + url), "the URL with its host"},
                {with_url(decoded_url), "the path decoded"},
                {with_url(replaced(url, "%", "%25")), "percent-encoded twice"},
                {with_url(replaced(replaced(url, "%2F", "%2f"), "%E7%A7%AF", "%e7%a7%af")), "in lower-case hex"},
                {with_url(replaced(url, "%20", "+")), "+ for a blank"},
                {with_url(""), "an empty line in the place of the path"},
                {with_url("/"), "signed / in the place of the path"},
                {with_url(url + "/"), "a slash at the path's end"},
                {with_url(url.substr(1)), "without the slash at its beginning"},
                {with_url(url.substr(3)), "without /v3"},
                {with_url("/v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit"),
                 "with {card_id} and {code} in it"}});
}

TEST(SignatureExplanation, NamesAQueryStringThatIsNotSigned) {
  MessageParts with_query = parts_sent;
  with_query.url += "?a=1";
  EXPECT_TRUE(
      contains(explanation_of_message(message_of(parts_sent), with_query), "a query string that it did not sign"));
}

TEST(SignatureExplanation, NamesAPathThatIsSignedEncodedAndSentAsItIs) {
  MessageParts plain = parts_sent;
  plain.url = "/v3/marketing/membercard-open/cards/积/codes/1/bonus/commit";
  const std::string message =
      lines("POST", "/v3/marketing/membercard-open/cards/%E7%A7%AF/codes/1/bonus/commit", timestamp, nonce, body);
  EXPECT_TRUE(contains(explanation_of_message(message, plain), "percent-encoded, and sent it otherwise"));
}

TEST(SignatureExplanation, NamesMistakesInTimestampAndNonce) {
  expect_named({{with_time("1554208460123"), "the timestamp in milliseconds"},
                {with_time("1554208458"), "a timestamp 2 s earlier"},
                {with_time("1554208461"), "a timestamp 1 s later"},
                {with_time("1554237260"), "local time"},
                {with_nonce("593BEC0C-930B-F1AF-EB40-B4A08C8FB242"), "with hyphens"},
                {with_nonce("593bec0c930bf1afeb40b4a08c8fb242"), "nonce_str in lower case"},
                {with_nonce("0123456789ABCDEF0123456789ABCDEF"), "the nonce of another request"},
                {with_nonce("1900000001"), "mchid in the place of nonce_str"},
                {with_nonce("0A8B07E7"), "serial_no in the place of nonce_str"}});
}

TEST(SignatureExplanation, NamesABodyThatWasParsedAndWrittenAgain) {
  const std::string python =
      R"({"out_trade_no": "订单/1&2", "mchid": "1230000109", "sub_mchid": "1900000109", "bonus_value": 30})";
  expect_named(
      {{with_body(python), "with blanks after commas and colons"},
       {with_body("{\n  \"out_trade_no\": \"订单/1&2\",\n  \"mchid\": \"1230000109\",\n  \"sub_mchid\": "
                  "\"1900000109\",\n  \"bonus_value\": 30\n}"),
        "with an indent of 2 blanks"},
       {with_body(R"({"bonus_value":30,"mchid":"1230000109","out_trade_no":"订单/1&2","sub_mchid":"1900000109"})"),
        "with its keys sorted"},
       {with_body(R"({"sub_mchid":"1900000109","mchid":"1230000109","out_trade_no":"订单/1&2","bonus_value":30})"),
        "keys in another order"},
       {with_body(replaced(body, "订单", "\\u8ba2\\u5355")), "with non-ASCII characters escaped."},
       {with_body(replaced(body, "订单", "\\u8BA2\\u5355")), "escaped in upper-case hex"},
       {with_body(replaced(body, "/", "\\/")), "with slashes escaped"},
       {with_body(replaced(replaced(body, "/", "\\/"), "订单", "\\u8ba2\\u5355")),
        "with slashes and non-ASCII characters escaped"},
       {with_body(replaced(body, "&", "\\u0026")), "with <, > and & escaped"},
       {with_body(replaced(body, ":30", ":30.0")), "with whole numbers as 30.0"},
       {with_body(replaced(python, "订单", "\\u8ba2\\u5355")),
        "with blanks after commas and colons, with non-ASCII characters escaped"}});
}

TEST(SignatureExplanation, NamesTheFormThatWasSignedWhereAnotherOneWasSent) {
  MessageParts indented = parts_sent;
  indented.body = "{\n    \"a\": 1,\n    \"b\": [\n        2\n    ]\n}";
  const std::string text = explanation_of_message(with_body(R"({"a":1,"b":[2]})"), indented);
  EXPECT_TRUE(contains(text, "another form than it sent: without blanks and line breaks.")) << text;
}

TEST(SignatureExplanation, NamesABodyThatIsNotTheOneSent) {
  expect_named(
      {{with_body(""), "an empty body"},
       {with_body(body + "\n"), "one line feed too many"},
       {with_body("\xEF\xBB\xBF" + body), "a byte order mark that it did not send"},
       {with_body("b'" + body + "'"), "Python's str() of bytes"},
       {with_body(replaced(replaced(body, "\"", "'"), "':", "': ")), "by no mistake"},
       {with_body("{'out_trade_no': '订单/1&2', 'mchid': '1230000109', 'sub_mchid': '1900000109', "
                  "'bonus_value': 30}"),
        "a Python dict as text"},
       {with_body("[object Object]"), "[object Object] in the place of the body"},
       {with_body("\"" + replaced(body, "\"", "\\\"") + "\""), "serialized twice"},
       {with_body("out_trade_no=订单/1&2&mchid=1230000109&sub_mchid=1900000109&bonus_value=30"), "as key=value pairs"},
       {with_body(replaced(body, "订单", "??")), "question marks in the place of non-ASCII"}});
  MessageParts ended = parts_sent;
  ended.body += "\n";
  EXPECT_TRUE(contains(explanation_of_message(message_of(parts_sent), ended), "a line break at the body's end"));
}

TEST(SignatureExplanation, NamesTwoMistakesAtOnce) {
  const std::string message = with_url("https://api.mch.weixin.qq.com" + url);
  const std::string no_end = explanation_of_message(message.substr(0, message.size() - 1));
  EXPECT_TRUE(contains(no_end, "with its host") && contains(no_end, "no line feed after the body")) << no_end;
  const std::string both = explanation_of_message(lines("POST", decoded_url, timestamp, nonce, ""));
  EXPECT_TRUE(contains(both, "decoded") && contains(both, "an empty body")) << both;
}

TEST(SignatureExplanation, SaysWhatToCompareWhereNoMistakeIsKnown) {
  const std::string text = explanation_of_message("something else\n");
  EXPECT_TRUE(contains(text, "Key and scheme are right")) << text;
  EXPECT_TRUE(contains(text, std::to_string(message_of(parts_sent).size()) + " bytes")) << text;
}

TEST(SignatureExplanation, NamesAKeyThatIsKnownAndOneThatIsNot) {
  EXPECT_TRUE(contains(explanation(sign_with(platform_key(), message_of(parts_sent))),
                       "signed with the private key of WeChat Pay's public key"));
  const PkeyHandle another = make_rsa_key();
  EXPECT_TRUE(contains(explanation(sign_with(another.get(), message_of(parts_sent))), "with another private key"));
  const PkeyHandle larger = make_rsa_key(3072);
  EXPECT_TRUE(contains(explanation(sign_with(larger.get(), message_of(parts_sent))), "a key of 3072 bits"));
}

std::string explanation_of_pss(int salt, const EVP_MD* function, const std::string& message) {
  return explanation(signed_as(digest_by(function, message), [salt, function](EVP_PKEY_CTX* one) {
    EVP_PKEY_CTX_set_rsa_padding(one, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(one, function);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(one, salt);
  }));
}

/// One of 128 such signatures looks like one with SHA-256, too.
TEST(SignatureExplanation, PrefersTheHashFunctionThatFits) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(
        contains(explanation_of_pss(RSA_PSS_SALTLEN_MAX, EVP_sha512(), message_of(parts_sent)), "client signed"));
  }
}

TEST(SignatureExplanation, NamesAnotherScheme) {
  const std::string message = message_of(parts_sent);
  for (const auto& [name, function] :
       {std::pair("SHA-1", EVP_sha1()), {"MD5", EVP_md5()}, {"SHA-384", EVP_sha384()}, {"SHA-512", EVP_sha512()}}) {
    EXPECT_TRUE(contains(explanation(signed_with_digest(function, message)), std::string("signed with ") + name + "."));
  }
  for (const int salt : {RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX, 0, 20}) {
    for (const auto& [name, function] : {std::pair("SHA-256", EVP_sha256()), {"SHA-512", EVP_sha512()}}) {
      const std::string good = explanation_of_pss(salt, function, message);
      const std::string other = explanation_of_pss(salt, function, "x");
      EXPECT_TRUE(contains(good, std::string("client signed with RSASSA-PSS (") + name + ")")) << salt << good;
      EXPECT_TRUE(contains(other, "signed with RSASSA-PSS (") && contains(other, name)) << salt << other;
      EXPECT_EQ(contains(other, "probably"), salt == RSA_PSS_SALTLEN_MAX) << salt << other;
    }
  }
  const auto bare = [](EVP_PKEY_CTX* one) { EVP_PKEY_CTX_set_rsa_padding(one, RSA_PKCS1_PADDING); };
  MessageParts small = parts_sent;
  small.url = "/v3/certificates";
  EXPECT_TRUE(contains(explanation(signed_as(message_of(small), bare), small), "encrypted the message itself"));
  EXPECT_TRUE(contains(explanation(signed_as(sha256(message), bare)), "without the name of the hash function"));
  EXPECT_TRUE(contains(explanation(signed_as(hex_of(sha256(message)), bare)), "a hash in hex"));
}

// The test keys never change, so these signatures look like RSASSA-PSS with the merchant's key every time.
TEST(SignatureExplanation, TellsAnotherKeyFromRsassaPss) {
  const std::string by_chance = sign_with(platform_key(), "101349");
  EXPECT_TRUE(contains(explanation(by_chance), "signed with the private key of WeChat Pay's public key"));
  EXPECT_TRUE(
      contains(explain_signature(parts_sent, context, by_chance, test_key(), {}), "probably signed with RSASSA-PSS"));
  const std::string with_its_first_bit = sign_with(platform_key(), "24863");
  EXPECT_TRUE(
      contains(explain_signature(parts_sent, context, with_its_first_bit, test_key(), {}), "another private key"));
}

TEST(SignatureExplanation, NamesASignatureThatIsNotPlainBase64) {
  const std::string good = sign_with(test_key(), message_of(parts_sent));
  const std::string raw = *decode_base64(good);
  std::string in_lines = good;
  for (std::size_t at = 76; at < in_lines.size(); at += 77) in_lines.insert(at, " ");
  const std::pair<std::string, const char*> forms[] = {
      {"", "is empty"},
      {replaced(replaced(replaced(good, "+", "-"), "/", "_"), "=", ""), "Base64 in URL form"},
      {good.substr(0, good.size() - 2), "lost its padding"},
      {hex_of(raw), "is hex"},
      {encode_base64(hex_of(raw)), "Base64 of hex"},
      {encode_base64(good), "Base64 twice"},
      {in_lines, "blanks or line breaks"},
      {replaced(good, "+", " "), "plus signs"},
      {replaced(replaced(replaced(good, "+", "%2B"), "/", "%2F"), "=", "%3D"), "percent-encoded"},
      {"no signature!", "is not Base64"},
  };
  ASSERT_TRUE(contains(good, "+")) << "the test needs one";
  for (const auto& [signature, says] : forms) {
    EXPECT_TRUE(contains(explanation(signature), says)) << says << ": " << explanation(signature);
  }
}

TEST(SignatureExplanation, NamesASignatureThatIsMadeWithoutAnRsaKey) {
  const std::string message = message_of(parts_sent);
  const std::string hash = sha256(message);
  const PkeyHandle elliptic = make_elliptic_key();
  const auto hashed = [&message](const EVP_MD* function) { return digest_by(function, message); };
  const std::pair<std::string, const char*> signatures[] = {
      {hex_of(hashed(EVP_md5())), "an MD5 hash, as in APIv2"},
      {"C380BEC2BFD727A4B6845133519F3AD6", "an MD5 hash, as in APIv2"},
      {encode_base64(hashed(EVP_md5())), "an MD5 hash, as in APIv2"},
      {encode_base64(hex_of(hashed(EVP_md5()))), "an MD5 hash, as in APIv2"},
      {hex_of(hash), "a hash or an HMAC"},
      {encode_base64(hash), "a hash or an HMAC"},
      {encode_base64(encode_base64(hash)), "a hash or an HMAC"},
      {replaced(replaced(replaced(encode_base64(hash), "+", "-"), "/", "_"), "=", ""), "a hash or an HMAC"},
      {hex_of(hashed(EVP_sha1())), "a hash or an HMAC"},
      {encode_base64(hashed(EVP_sha512())), "a hash, an HMAC or an elliptic curve's signature"},
      {sign_with(elliptic.get(), message), "made with ECDSA or SM2"},
  };
  for (const auto& [signature, says] : signatures) {
    const std::string text = explanation(signature);
    EXPECT_TRUE(contains(text, says) && contains(text, "SHA256withRSA")) << says << ": " << text;
    EXPECT_FALSE(contains(text, "private key than")) << text;
  }
}

TEST(SignatureExplanation, NamesASignatureThatIsCut) {
  const std::string good = sign_with(test_key(), message_of(parts_sent));
  const std::string text = explanation(good.substr(0, 300));
  EXPECT_TRUE(contains(text, "has 225 bytes, one by the merchant's key has 256: it was cut")) << text;
  EXPECT_FALSE(contains(text, "another private key")) << text;
}

TEST(SignatureExplanation, ReadsSignaturesOfKeysOfAnySize) {
  const PkeyHandle larger = make_rsa_key(3072);
  const std::string good = sign_with(larger.get(), message_of(parts_sent));
  EXPECT_TRUE(is_signed_with(larger.get(), message_of(parts_sent), good));
  EXPECT_FALSE(is_signed_with(larger.get(), message_of(parts_sent) + " ", good));
  EXPECT_FALSE(is_signed_with(test_key(), message_of(parts_sent), good));
  const std::string text =
      explain_signature(parts_sent, context, sign_with(larger.get(), with_body("")), larger.get(), {});
  EXPECT_TRUE(contains(text, "an empty body")) << text;
}

TEST(SignatureExplanation, GoesOnBehindASignatureInAnotherForm) {
  const std::string text = explanation(hex_of(*decode_base64(sign_with(test_key(), with_body("")))));
  EXPECT_TRUE(contains(text, "is hex") && contains(text, "an empty body")) << text;
}

TEST(SignatureExplanation, QuotesNeitherSignatureNorKey) {
  const std::string signature = sign_with(test_key(), "x");
  for (const std::string& bad : {signature, signature.substr(4), "no signature: " + signature, std::string(100000, 'A'),
                                 std::string("\0\x01", 2), sign_with(platform_key(), "x")}) {
    const std::string text = explanation(bad);
    EXPECT_FALSE(text.empty());
    EXPECT_FALSE(contains(text, signature.substr(4, 40))) << text;
  }
}

TEST(SignatureExplanation, TakesBodiesOfAnySizeAndDepth) {
  for (const std::string& odd :
       {std::string(1U << 20U, '['), std::string(10000, '['), std::string(5000, '[') + std::string(5000, ']'),
        std::string("{\"a\":\"\xFF\"}"), std::string("\"text\""), std::string("1e999"), std::string("{\"\":{}}")}) {
    MessageParts parts = parts_sent;
    parts.body = odd;
    EXPECT_TRUE(contains(explanation_of_message("x", parts), "Key and scheme are right"));
  }
}

TEST(FirstDifference, NamesTheLineAndTheByte) {
  const std::string good = message_of(parts_sent);
  EXPECT_EQ(first_difference(good, good), "");
  EXPECT_TRUE(
      contains(first_difference(with_body(replaced(body, ":30", ":31")), good), "line 5 (the body), from byte"));
  EXPECT_TRUE(contains(first_difference(with_time("1554208461"), good), "line 3 (the timestamp), from byte 10 on"));
  EXPECT_TRUE(contains(first_difference("POST\n" + url, good), "line 3 (the timestamp) is missing") ||
              contains(first_difference("POST\n" + url, good), "Line 3 (the timestamp) is missing"));
  EXPECT_TRUE(contains(first_difference("", good), "signed 0 bytes"));
}

}  // namespace

}  // namespace wechatpay::bonus_commit

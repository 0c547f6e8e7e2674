#include "src/testing/signature_explanation.hpp"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>

#include <string>
#include <vector>

#include "src/testing/captured.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/recovered_signature.hpp"
#include "src/testing/test_keys.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"

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

TEST(SignatureExplanation, NamesATimestampThatIsSentInMilliseconds) {
  MessageParts sent = parts_sent;
  sent.timestamp = "1554208460123";
  const std::string text = explanation_of_message(with_time("1554208460"), sent);
  EXPECT_EQ(text, "The client signed the timestamp in seconds, but sent milliseconds in Authorization: send seconds.");
  for (const char* odd : {"now", "1554208460.5", "1554208460123456"}) {
    sent.timestamp = odd;
    EXPECT_TRUE(contains(explanation_of_message(with_time("1554208460"), sent), "by no mistake that is known")) << odd;
    EXPECT_TRUE(contains(explanation_of_message(with_time(""), sent), "in the place of the timestamp")) << odd;
  }
}

TEST(SignatureExplanation, NamesANonceThatIsSentInAnotherForm) {
  MessageParts sent = parts_sent;
  sent.nonce_str = "593BEC0C-930B-F1AF-EB40-B4A08C8FB242";
  EXPECT_TRUE(contains(explanation_of_message(with_nonce(nonce), sent), "without its hyphens, and sent them"));
  sent.nonce_str = "593bec0c930bf1afeb40b4a08c8fb242";
  EXPECT_TRUE(contains(explanation_of_message(with_nonce(nonce), sent), "nonce_str in upper case"));
  EXPECT_TRUE(contains(explanation_of_message(with_nonce(""), sent), "in the place of nonce_str"));
}

TEST(SignatureExplanation, NamesMistakesInAUrlOfAnyForm) {
  const struct {
    const char* sent;
    std::string signed_url;
    const char* says;
  } cases[] = {
      {"/", "", "an empty line in the place of the path"},
      {"/x/y", "x/y", "without the slash at its beginning"},
      {"/v3/%e4%b8%ad%4", "/v3/%E4%B8%AD%4", "in upper-case hex, and sent lower case"},
      {"/v3/a%zz", "/v3/a%zz?", "a question mark at the URL's end"},
      {"/v3/A", "/v3/a", "the path in lower case"},
      {"/v3/a/b", "%2Fv3%2Fa%2Fb", "percent-encoded the slashes"},
      {"/v3/a+b%20c", "/v3/a b c", "the path decoded"},
      {"/v3/a", "http://api.wechatpay.cn", "the host in the place of the path"},
      {"/v3/a", "//api2.mch.weixin.qq.com/v3/a", "the URL with its host"},
  };
  for (const auto& each : cases) {
    MessageParts sent = parts_sent;
    sent.url = each.sent;
    const std::string signature = sign_with(test_key(), with_url(each.signed_url));
    for (const char* host : {"127.0.0.1:8443", ""}) {
      const std::string text = explain_signature(sent, {host, "", "", {}}, signature, test_key(), {});
      EXPECT_TRUE(contains(text, each.says)) << each.sent << ": " << text;
    }
  }
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

TEST(SignatureExplanation, NamesWhatWasSentAroundTheBodyAndNotSigned) {
  MessageParts sent = parts_sent;
  sent.body = "\xEF\xBB\xBF" + body;
  EXPECT_TRUE(contains(explanation_of_message(with_body(body), sent), "sent a byte order mark that it did not sign"));
  sent.body = body + " \t";
  EXPECT_TRUE(contains(explanation_of_message(with_body(body), sent), "sent blanks or a line break"));
}

TEST(SignatureExplanation, NamesAnEmptyBodyHoweverLargeTheOneSentIs) {
  for (const std::size_t size : {std::size_t(20'000), std::size_t(65536), std::size_t(1U << 20U)}) {
    MessageParts sent = parts_sent;
    sent.body = "[\"" + std::string(size, 'a') + "\"]";
    const std::string text = explanation_of_message(with_body(""), sent);
    EXPECT_EQ(text, "The client signed an empty body: sign the body byte for byte as it is sent.") << size;
  }
}

TEST(SignatureExplanation, TriesNoOrdersOfManyKeys) {
  const auto object_of = [](std::size_t keys, bool backwards) {
    std::string text;
    for (std::size_t i = 0; i < keys; ++i) {
      const std::string key(1, static_cast<char>('a' + (backwards ? keys - 1 - i : i)));
      text.append(text.empty() ? "{\"" : ",\"").append(key).append("\":1");
    }
    return text + "}";
  };
  for (const auto& [keys, says] : {std::pair(5U, "keys in another order"), {6U, "by no mistake that is known"}}) {
    MessageParts sent = parts_sent;
    sent.body = object_of(keys, false);
    EXPECT_TRUE(contains(explanation_of_message(with_body(object_of(keys, true)), sent), says)) << keys;
  }
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
  EXPECT_TRUE(contains(explanation(signed_with_digest(EVP_sha224(), message)), "signed with SHA-224."));
  EXPECT_TRUE(
      contains(explanation(signed_with_digest(EVP_sha3_256(), message)), "encrypted a text with the private key"));
  const auto bare = [](EVP_PKEY_CTX* one) { EVP_PKEY_CTX_set_rsa_padding(one, RSA_PKCS1_PADDING); };
  MessageParts small = parts_sent;
  small.url = "/v3/certificates";
  EXPECT_TRUE(contains(explanation(signed_as(message_of(small), bare), small), "encrypted the message itself"));
  EXPECT_TRUE(contains(explanation(signed_as(sha256(message), bare)), "without the name of the hash function"));
  EXPECT_TRUE(contains(explanation(signed_as(hex_of(sha256(message)), bare)), "a hash in hex"));
}

/// What the merchant's key gives may be no padding of any kind, if another key made the signature.
TEST(SignatureExplanation, TakesNoOtherBlockForAPadding) {
  const auto raw = [](const std::string& block) {
    return explanation(signed_as(block, [](EVP_PKEY_CTX* one) { EVP_PKEY_CTX_set_rsa_padding(one, RSA_NO_PADDING); }));
  };
  const auto block = [](char type, std::size_t filled, char end) {
    std::string text = std::string(1, '\0') + type + std::string(filled, '\xFF') + end;
    return text + std::string(256 - text.size(), 'x');
  };
  EXPECT_TRUE(contains(raw(block('\1', 8, '\0')), "encrypted a text with the private key"));
  for (const std::string& other : {block('\1', 7, '\0'), block('\1', 8, '\2'), block('\2', 8, '\0'),
                                   block('\1', 253, '\xFF'), std::string(256, '\0'), std::string(255, '\0') + "\xBC"}) {
    EXPECT_TRUE(contains(raw(other), "signed with another private key")) << other.size();
  }
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
      {replaced(replaced(replaced(good, "+", "%2b"), "/", "%2f"), "=", "%3d") + "%0A", "percent-encoded"},
      {replaced(in_lines, " ", "\r\n"), "blanks or line breaks"},
      {"\t" + good + "\n", "blanks or line breaks"},
      {good + "====", "is not Base64"},
      {hex_of(raw) + "a", "is not Base64"},
      {"A", "is not Base64"},
      {"====", "is not Base64"},
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

TEST(SignatureExplanation, CallsNothingEllipticThatIsNot) {
  const std::string sequence = std::string("\x30\x44") + std::string(68, 'x');
  EXPECT_TRUE(contains(explanation(encode_base64(sequence)), "made with ECDSA or SM2"));
  for (const std::string& other :
       {"\x31" + sequence.substr(1), "\x30\x45" + sequence.substr(2), sequence.substr(0, 67), sequence + "xxx"}) {
    const std::string size = std::to_string(other.size());
    const std::string text = explanation(encode_base64(other));
    EXPECT_TRUE(contains(text, "has " + size + " bytes, one by the merchant's key has 256: it was cut")) << text;
  }
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

class AnswersSignature : public ::testing::Test {
 protected:
  static constexpr const char* answer_body = R"({"code":"SYSTEM_ERROR","message":"系统错误"})";

  static std::string message(const std::string& text) { return timestamp + "\n" + nonce + "\n" + text + "\n"; }

  static std::string explained(const std::string& signature) {
    return explain_answer_signature(timestamp, nonce, answer_body, signature, test_key(),
                                    {{"the key of other.pem", platform_key()}});
  }
};

TEST_F(AnswersSignature, IsExplained) {
  const PkeyHandle elsewhere = make_rsa_key();
  const std::pair<std::string, const char*> cases[] = {
      {"no signature!", "The signature is not Base64"},
      {encode_base64(std::string(32, '\1')), "The signature has the size of a hash"},
      {sign_with(platform_key(), message(answer_body)),
       "The answer is signed with the key of other.pem, not with the platform key of its Wechatpay-Serial."},
      {sign_with(elsewhere.get(), message(answer_body)),
       "The answer is not signed with the key that was given for its Wechatpay-Serial"},
      {signed_with_digest(EVP_sha1(), message(answer_body)), "The answer is signed, but not with SHA256withRSA."},
      {sign_with(test_key(), message(R"({"code": "SYSTEM_ERROR", "message": "系统错误"})")),
       "The body is not the text that WeChat Pay signed"},
      {sign_with(test_key(), message(answer_body + std::string("\r\n"))),
       "The body is not the text that WeChat Pay signed"},
      {sign_with(test_key(), message("{}") + "x"), "Key and scheme are right, but WeChat Pay signed another text"},
  };
  for (const auto& [signature, says] : cases) {
    EXPECT_EQ(explained(signature).rfind(says, 0), 0U) << says << ": " << explained(signature);
  }
  EXPECT_EQ(explained(sign_with(test_key(), message(answer_body))), "");
}

TEST(CapturedRequest, IsReadAsProxiesAndLogsShowIt) {
  const struct {
    const char* capture;
    const char* method;
    const char* path;
    const char* host;
    const char* body;
  } cases[] = {
      {"POST /v3/x?a=1 HTTP/1.1\r\nHost: a\r\n\r\n{}", "POST", "/v3/x?a=1", "a", "{}"},
      {"\r\n\nPOST   /v3/x   HTTP/2\nHost:a\n\n{}\n", "POST", "/v3/x", "a", "{}\n"},
      {"GET https://api.wechatpay.cn HTTP/1.1\n\n", "GET", "/", "api.wechatpay.cn", ""},
      {"GET https://api.wechatpay.cn/v3/x", "GET", "/v3/x", "api.wechatpay.cn", ""},
      {"GET https://api.wechatpay.cn/v3/x\nHost: own", "GET", "/v3/x", "own", ""},
      {"GET /v3/x?to=https://a/b HTTP/1.1", "GET", "/v3/x?to=https://a/b", "", ""},
      {"POST /v3/x\nContent-Length: 2\n\nabcdef", "POST", "/v3/x", "", "ab"},
      {"POST /v3/x\nContent-Length: 9\n\nabcdef", "POST", "/v3/x", "", "abcdef"},
      {"POST /v3/x\nContent-Length: two\n\nabcdef", "POST", "/v3/x", "", "abcdef"},
  };
  for (const auto& each : cases) {
    const auto request = read_captured_request(each.capture);
    ASSERT_TRUE(request) << each.capture << request.error().message;
    EXPECT_EQ(request->method, each.method) << each.capture;
    EXPECT_EQ(request->path, each.path) << each.capture;
    EXPECT_EQ(header_value(request->headers, "Host"), each.host) << each.capture;
    EXPECT_EQ(request->body, each.body) << each.capture;
  }
}

TEST(CapturedRequest, IsRefusedWhereItIsNone) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "the capture does not begin with a method and a URL, as in POST /v3/..."},
      {"\n\n", "the capture does not begin with a method and a URL, as in POST /v3/..."},
      {"/v3/x", "the capture does not begin with a method and a URL, as in POST /v3/..."},
      {"POST v3", "the capture does not begin with a method and a URL, as in POST /v3/..."},
      {"POST /v3/x\n: value\n\n", "line 2 of the capture is no header, `Name: value`; an empty line ends the headers"},
      {"\nPOST /v3/x\nHost: a\n{}",
       "line 4 of the capture is no header, `Name: value`; an empty line ends the headers"},
  };
  for (const auto& [capture, says] : cases) {
    const auto request = read_captured_request(capture);
    ASSERT_FALSE(request) << capture;
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_configuration);
    EXPECT_EQ(request.error().message, says);
  }
}

TEST(CapturedAnswer, IsReadBehindOthers) {
  const struct {
    const char* capture;
    int status;
    std::size_t headers;
    const char* body;
  } cases[] = {
      {"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 204, 1, ""},
      {"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 400 Bad\r\n\r\n{}", 400, 0, "{}"},
      {"HTTP/1.1 100 Continue\r\n\r\n", 100, 0, ""},
      {"HTTP/1.1 200 OK\n\nHTTP", 200, 0, "HTTP"},
      {"HTTP/1.1\n\n", 0, 0, ""},
      {"HTTP/2 2oo\n\n", 2, 0, ""},
  };
  for (const auto& each : cases) {
    const auto answer = read_captured_answer(each.capture);
    ASSERT_TRUE(answer) << each.capture << answer.error().message;
    EXPECT_EQ(answer->status, each.status) << each.capture;
    EXPECT_EQ(answer->headers.size(), each.headers) << each.capture;
    EXPECT_EQ(answer->body, each.body) << each.capture;
  }
  EXPECT_EQ(read_captured_answer("HTTP/1.1 200 OK\nno header\n").error().message,
            "line 2 of the capture is no header, `Name: value`; an empty line ends the headers");
}

class Captured : public ::testing::Test {
 protected:
  static HttpRequest request(const std::string& signed_body, const std::string& sent_body, std::int64_t time) {
    const auto credentials = Credentials::from_pem(test_certificate_pem(), test_key_pem()).value();
    HttpRequest made{"POST", "https://127.0.0.1", url, {}, sent_body};
    made.headers = {{"Authorization", authorization(credentials, {"POST", url, time, nonce, signed_body}).value()}};
    return made;
  }

  static SignatureVerdict verdict_of(const HttpRequest& one, const std::vector<PemText>& others = {}) {
    return explain_request(one, {"cert.pem", test_certificate_pem()}, others).value();
  }

  static HttpResponse answer(const std::string& signed_body, const std::string& sent_body) {
    const std::string message = timestamp + "\n" + nonce + "\n" + signed_body + "\n";
    return {400,
            {{"Wechatpay-Serial", test_public_key_id},
             {"Wechatpay-Timestamp", timestamp},
             {"Wechatpay-Nonce", nonce},
             {"Wechatpay-Signature", sign_with(platform_key(), message)}},
            sent_body};
  }

  static PlatformKeys keys() {
    PlatformKeys made;
    EXPECT_TRUE(made.add_public_key(test_public_key_id, public_key_pem(platform_key())));
    return made;
  }

  static Result<SignatureVerdict> verdict_of(const HttpResponse& one, const std::string& pem,
                                             const std::vector<PemText>& others = {}) {
    return explain_answer(one, keys(), {{"other id", "no key"}, {test_public_key_id, pem}}, others);
  }

  static constexpr std::int64_t long_ago = 1554208460;
};

TEST_F(Captured, RequestMatchesHoweverOldItIs) {
  const SignatureVerdict verdict = verdict_of(request(body, body, long_ago));
  EXPECT_TRUE(verdict.matches);
  EXPECT_EQ(verdict.explanation, "");
  EXPECT_EQ(verdict.message, lines("POST", url, timestamp, nonce, body));
  const SignatureVerdict of_another_form = verdict_of(request(body, body, 155420846000));
  EXPECT_FALSE(of_another_form.matches);
  EXPECT_TRUE(contains(of_another_form.explanation, "timestamp must be Unix time in seconds"));
}

TEST_F(Captured, RequestIsExplained) {
  EXPECT_TRUE(contains(verdict_of(request("", body, long_ago)).explanation, "an empty body"));
  HttpRequest by_another = request(body, body, long_ago);
  std::string& value = by_another.headers[0].value;
  value.replace(value.find("signature=\"") + 11, 344, sign_with(platform_key(), message_of(parts_sent)));
  for (const std::string& pem : {public_key_pem(platform_key()), private_key_pem(platform_key())}) {
    EXPECT_TRUE(contains(verdict_of(by_another, {{"other.pem", pem}}).explanation,
                         "is signed with the key of other.pem: sign with the merchant's private key"));
  }
  EXPECT_TRUE(contains(verdict_of(by_another).explanation, "with another private key"));
  HttpRequest without = by_another;
  without.headers.clear();
  EXPECT_EQ(verdict_of(without).explanation, "Authorization: must be there exactly once.");
}

TEST_F(Captured, RequestsLineBreakAtItsEndMayBeAnEditors) {
  const std::string says = "The signature matches the body without the line break at its end.";
  for (const char* end : {"\n", "\r\n"}) {
    const SignatureVerdict verdict = verdict_of(request(body, body + end, long_ago));
    EXPECT_FALSE(verdict.matches);
    EXPECT_EQ(verdict.explanation.rfind(says, 0), 0U) << verdict.explanation;
    EXPECT_TRUE(contains(verdict.explanation, "If the client sent it, the client must sign it, too."));
  }
  EXPECT_EQ(verdict_of(request("", "\n", long_ago)).explanation.rfind(says, 0), 0U);
  HttpRequest with_length = request(body, body + "\n", long_ago);
  with_length.headers.push_back({"Content-Length", std::to_string(body.size() + 1)});
  EXPECT_TRUE(contains(verdict_of(with_length).explanation, "sent a line break at the body's end"));
  EXPECT_TRUE(contains(verdict_of(request("something else", body + "\n", long_ago)).explanation, "by no mistake"));
}

TEST_F(Captured, RequestNeedsACertificateAndRsaKeys) {
  const HttpRequest made = request(body, body, long_ago);
  const PkeyHandle elliptic = make_elliptic_key();
  const auto of_elliptic = make_certificate({test_mchid, test_serial_no, {}, false}, elliptic.get());
  const auto message = [&made](const std::string& certificate, const std::vector<PemText>& others) {
    const auto verdict = explain_request(made, {"cert.pem", certificate}, others);
    return verdict ? "accepted" : verdict.error().message;
  };
  const std::string no_key = " holds no RSA key that can be read: give a certificate or a public key in PEM";
  EXPECT_EQ(message(test_key_pem(), {}), "cert.pem holds no certificate: give apiclient_cert.pem");
  EXPECT_EQ(message(certificate_pem(of_elliptic.get()), {}), "cert.pem" + no_key);
  for (const std::string& other : {std::string("no key"), public_key_pem(elliptic.get()),
                                   private_key_pem(platform_key(), KeyFormat::pkcs8, "passphrase")}) {
    EXPECT_EQ(message(test_certificate_pem(), {{"other.pem", other}}), "other.pem" + no_key);
  }
}

bool somebody_was_asked = false;

TEST_F(Captured, RequestAsksNobodyForAPassphrase) {
  UI_METHOD* const asking = UI_create_method("a terminal");
  UI_method_set_opener(asking, [](UI*) {
    somebody_was_asked = true;
    return 0;
  });
  const UI_METHOD* const before = UI_get_default_method();
  UI_set_default_method(asking);
  for (const KeyFormat format : {KeyFormat::pkcs8, KeyFormat::pkcs1}) {
    const std::string encrypted = private_key_pem(platform_key(), format, "passphrase");
    const HttpRequest made = request(body, body, long_ago);
    EXPECT_FALSE(explain_request(made, {"cert.pem", test_certificate_pem()}, {{"other.pem", encrypted}}));
  }
  UI_set_default_method(before);
  UI_destroy_method(asking);
  EXPECT_FALSE(somebody_was_asked);
}

TEST_F(Captured, AnswerIsExplained) {
  const std::string own = public_key_pem(platform_key());
  const auto good = verdict_of(answer(body, body), own).value();
  EXPECT_TRUE(good.matches);
  EXPECT_EQ(good.message, timestamp + "\n" + nonce + "\n" + body + "\n");
  const auto changed = verdict_of(answer(body, body + " "), own).value();
  EXPECT_FALSE(changed.matches);
  EXPECT_TRUE(contains(changed.explanation, "The body is not the text that WeChat Pay signed")) << changed.explanation;
  const auto ended = verdict_of(answer(body, body + "\n"), own).value();
  EXPECT_FALSE(ended.matches);
  EXPECT_TRUE(contains(ended.explanation, "a proxy on its way added it")) << ended.explanation;
  const auto by_known = verdict_of(answer(body, "{}"), test_certificate_pem(), {{"other.pem", own}}).value();
  EXPECT_TRUE(contains(by_known.explanation, "signed with the key of other.pem")) << by_known.explanation;
}

TEST_F(Captured, AnswerWithoutASignatureOrWithAProbeIsExplained) {
  HttpResponse bare = answer(body, body);
  bare.headers.pop_back();
  EXPECT_EQ(verdict_of(bare, "no key").value().explanation,
            "Wechatpay-Signature is missing: the answer is not signed; a proxy or CDN may have removed the header.");
  HttpResponse probe = answer(body, body);
  probe.headers.back().value = "WECHATPAY/SIGNTEST/" + std::string(325, 'x');
  const auto verdict = verdict_of(probe, "no key").value();
  EXPECT_FALSE(verdict.matches);
  EXPECT_EQ(verdict.explanation.rfind("signature probe: WeChat Pay sent a wrong signature", 0), 0U)
      << verdict.explanation;
}

TEST_F(Captured, AnswerNeedsRsaKeys) {
  const std::string says = " holds no RSA key that can be read: give a certificate or a public key in PEM";
  EXPECT_EQ(verdict_of(answer(body, "{}"), "no key").error().message, test_public_key_id + says);
  EXPECT_EQ(verdict_of(answer(body, "{}"), test_certificate_pem(), {{"other.pem", "no key"}}).error().message,
            "other.pem" + says);
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

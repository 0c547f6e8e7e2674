#include "wechatpay/bonus_commit/platform_keys.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>

#include "src/testing/test_keys.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr const char* id = test_public_key_id;
constexpr const char* other_id = "PUB_KEY_ID_0114232134912410000000000001";

EVP_PKEY* key() { return test_key(); }

/// Raw bytes that are signed with that key.
std::string sign(std::string_view message) { return decode_base64(sign_with(key(), message)).value(); }

std::string platform_certificate(const std::string& serial, int days = 365) {
  CertificateOptions options{"Tenpay.com sign", serial, {}, false};
  options.not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * days);
  return certificate_pem(make_certificate(options, key()).get());
}

bool holds(const PlatformKeys& keys, const std::string& serial) {
  return keys.verify(serial, "message", sign("message")) == PlatformKeys::Verdict::valid;
}

std::string message_of(const Result<std::string>& result) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
  return result.error().message;
}

TEST(PlatformKeys, HoldPublicKeysByIdAndCertificatesBySerialNumber) {
  PlatformKeys keys;
  EXPECT_EQ(keys.add_public_key(id, public_key_pem(key())).value(), id);
  EXPECT_EQ(keys.add_certificate(platform_certificate("0A1B")).value(), "0A1B");
  EXPECT_TRUE(holds(keys, id));
  EXPECT_TRUE(holds(keys, "0A1B"));
  EXPECT_TRUE(holds(keys, "0a1b")) << "serial numbers are compared in upper case";
  EXPECT_FALSE(holds(keys, "A1B")) << "leading zeros count";
  EXPECT_FALSE(holds(keys, "pub_key_id_0114232134912410000000000000"));
  EXPECT_FALSE(holds(keys, ""));
  EXPECT_EQ(keys.serials(), (std::vector<std::string>{"0A1B", id}));
}

TEST(PlatformKeys, TellAnUnknownSerialFromASignatureThatDoesNotMatch) {
  PlatformKeys keys;
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(key())));
  EXPECT_EQ(keys.verify(id, "message", sign("message")), PlatformKeys::Verdict::valid);
  EXPECT_EQ(keys.verify(id, "other message", sign("message")), PlatformKeys::Verdict::mismatch);
  EXPECT_EQ(keys.verify(id, "message", ""), PlatformKeys::Verdict::mismatch);
  EXPECT_EQ(keys.verify(other_id, "message", sign("message")), PlatformKeys::Verdict::unknown_serial);
}

TEST(PlatformKeys, ReplaceAKeyUnderItsId) {
  const PkeyHandle other = read_key(public_key_test_key);
  PlatformKeys keys;
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(other.get())));
  EXPECT_FALSE(holds(keys, id));
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(key())));
  EXPECT_TRUE(holds(keys, id)) << "the new one";
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(other.get())));
  EXPECT_FALSE(holds(keys, id)) << "and the old one no longer";

  const auto certificate = make_certificate({"Tenpay.com sign", "0A", {}, false}, other.get());
  ASSERT_TRUE(keys.add_certificate(certificate_pem(certificate.get())));
  EXPECT_FALSE(holds(keys, "0A"));
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A")));
  EXPECT_TRUE(holds(keys, "0A"));
  EXPECT_EQ(keys.serials(), (std::vector<std::string>{"0A", id}));
}

TEST(PlatformKeys, AnnounceAReplacedKeyAsTheNewestAndAReplacedCertificateByItsNewDates) {
  PlatformKeys keys;
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A", 100)));
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0B", 500)));
  EXPECT_EQ(keys.announced(), "0B");
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A", 900)));
  EXPECT_EQ(keys.announced(), "0A");
  for (const char* each : {id, other_id, id}) {
    ASSERT_TRUE(keys.add_public_key(each, public_key_pem(key())));
    EXPECT_EQ(keys.announced(), each);
  }
}

TEST(PlatformKeys, AreSharedByCopies) {
  PlatformKeys keys;
  PlatformKeys copy = keys;
  ASSERT_TRUE(copy.add_public_key(id, public_key_pem(key())));
  EXPECT_TRUE(holds(keys, id));
  const PlatformKeys moved = std::move(copy);
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A")));
  EXPECT_TRUE(holds(moved, "0A"));
  // NOLINTNEXTLINE(bugprone-use-after-move): it says so
  EXPECT_TRUE(holds(copy, "0A")) << "what is moved from shares them as well";
  EXPECT_TRUE(PlatformKeys().serials().empty()) << "others have keys of their own";
}

TEST(PlatformKeys, ComeFromFilesAndNameThem) {
  const TemporaryFolder folder;
  PlatformKeys keys;
  EXPECT_TRUE(keys.add_public_key_file(id, folder.write("pub_key.pem", public_key_pem(key()))));
  EXPECT_TRUE(keys.add_certificate_file(folder.write("wechatpay_0A.pem", platform_certificate("0A"))));
  const std::string missing = folder.path("missing.pem");
  EXPECT_TRUE(contains(message_of(keys.add_public_key_file(id, missing)), missing + ": cannot be opened"));
  EXPECT_TRUE(contains(message_of(keys.add_certificate_file(missing)), missing + ": cannot be opened"));
}

TEST(PlatformKeys, AnnounceThePublicKeyElseTheCertificateThatExpiresLast) {
  PlatformKeys keys;
  EXPECT_EQ(keys.announced(), "");
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0B", 500)));
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A", 100)));
  EXPECT_EQ(keys.announced(), "0B");
  ASSERT_TRUE(keys.add_public_key(other_id, public_key_pem(key())));
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(key())));
  EXPECT_EQ(keys.announced(), id) << "the public key that was added last";
}

TEST(PlatformKeys, AnnounceWhatTheCallerChoosesUntilItIsRemoved) {
  PlatformKeys keys;
  ASSERT_TRUE(keys.add_public_key(id, public_key_pem(key())));
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0A")));
  EXPECT_TRUE(keys.announce("0a"));
  EXPECT_EQ(keys.announced(), "0A");
  EXPECT_FALSE(keys.announce("0B"));
  EXPECT_EQ(keys.announced(), "0A");
  EXPECT_FALSE(keys.remove("0B"));
  EXPECT_EQ(keys.announced(), "0A") << "another key was to be removed";
  EXPECT_TRUE(keys.remove("0A"));
  EXPECT_FALSE(keys.remove("0A"));
  EXPECT_EQ(keys.announced(), id);
  EXPECT_TRUE(keys.remove(id));
  EXPECT_EQ(keys.announced(), "");
}

TEST(PlatformKeys, WarnOfCertificatesOutsideTheirDates) {
  PlatformKeys keys;
  static_cast<void>(keys.add_public_key(id, public_key_pem(key())).value());
  for (const auto& [serial, days] : {std::pair("0A", 365), std::pair("0B", 10), std::pair("0C", -3)}) {
    static_cast<void>(keys.add_certificate(platform_certificate(serial, days)).value());
  }
  const auto warnings = keys.warnings(std::chrono::system_clock::now() + std::chrono::minutes(5));
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_TRUE(contains(warnings[0], "the platform certificate 0B expires in 9 days: get the new one")) << warnings[0];
  EXPECT_TRUE(contains(warnings[1], "the platform certificate 0C expired 3 days ago")) << warnings[1];
}

TEST(PlatformKeys, RefuseTheMerchantsOwnCertificateAndSaySo) {
  PlatformKeys keys;
  const auto certificate = make_certificate({"1900000001", "0A", {}, false}, key());
  const std::string message = message_of(keys.add_certificate(certificate_pem(certificate.get())));
  EXPECT_TRUE(contains(message, "the certificate of merchant 1900000001 (apiclient_cert.pem), not WeChat Pay's"))
      << message;
}

TEST(PlatformKeys, RefuseTheCertificateOfAnAuthority) {
  PlatformKeys keys;
  const auto certificate = make_certificate({"Tenpay.com Root CA", "0A", {}, true}, key());
  const std::string message = message_of(keys.add_certificate(certificate_pem(certificate.get())));
  EXPECT_TRUE(contains(message, "is the certificate of an authority (CA), \"Tenpay.com Root CA\"")) << message;
}

TEST(PlatformKeys, RefuseAChainAndSeveralCertificatesInOneFile) {
  PlatformKeys keys;
  const std::string message = message_of(keys.add_certificate(platform_certificate("0A") + platform_certificate("0B")));
  EXPECT_TRUE(contains(message, "holds 2 certificates (serial numbers 0A, 0B)")) << message;
  const auto authority = make_certificate({"Tenpay.com Root CA", "0C", {}, true}, key());
  EXPECT_TRUE(contains(message_of(keys.add_certificate(platform_certificate("0A") + certificate_pem(authority.get()))),
                       "holds 2 certificates"));
  std::string many;
  for (int i = 0; i < 7; ++i) many += platform_certificate("0" + std::to_string(i));
  EXPECT_TRUE(contains(message_of(keys.add_certificate(many)), "(serial numbers 00, 01, 02, 03, 04, \xE2\x80\xA6)"));
  EXPECT_TRUE(keys.serials().empty());
}

TEST(PlatformKeys, WarnOfACertificateThatNamesSomebodyElse) {
  PlatformKeys keys;
  const PkeyHandle issuer_key = read_key(public_key_test_key);
  const auto issuer = make_certificate({"Example Root", "01", {}, true}, issuer_key.get());
  const auto host = make_certificate({"api.mch.weixin.qq.com", "0A", {"api.mch.weixin.qq.com"}, false}, key(),
                                     issuer.get(), issuer_key.get());
  ASSERT_TRUE(keys.add_certificate(certificate_pem(host.get())));
  ASSERT_TRUE(keys.add_certificate(platform_certificate("0B")));
  const auto warnings = keys.warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(
      contains(warnings[0], "the platform certificate 0A names \"api.mch.weixin.qq.com\", issued by \"Example Root\""))
      << warnings[0];
  EXPECT_TRUE(contains(warnings[0], "a TLS host's")) << warnings[0];
}

TEST(PlatformKeys, RefuseASerialNumberInThePlaceOfAPublicKeysId) {
  PlatformKeys keys;
  const std::string message = message_of(keys.add_public_key("408B07E79B8269FE", public_key_pem(key())));
  EXPECT_TRUE(contains(message, "a certificate's serial number")) << message;
  for (const char* bad : {"", "PUB_KEY_ID_", "PUB_KEY_ID_12x", "pub_key_id_12", " PUB_KEY_ID_12"}) {
    EXPECT_TRUE(contains(message_of(keys.add_public_key(bad, public_key_pem(key()))), "PUB_KEY_ID_ and digits")) << bad;
  }
}

TEST(PlatformKeys, SayWhatWasGivenInThePlaceOfAPublicKey) {
  PlatformKeys keys;
  const PkeyHandle elliptic(EVP_EC_gen("P-256"));
  const struct {
    std::string pem;
    const char* says;
  } cases[] = {
      {platform_certificate("0A"), "holds a certificate"},
      {private_key_pem(key()), "holds a private key"},
      {"", "is empty"},
      {"hello", "is not PEM"},
      {public_key_pem(key()).substr(0, 200), "damaged or incomplete"},
      {public_key_pem(elliptic.get()), "not an RSA key"},
      {public_key_pem(make_rsa_key(1024).get()), "has 1024 bits"},
  };
  for (const auto& each : cases) {
    const std::string message = message_of(keys.add_public_key(id, each.pem));
    EXPECT_TRUE(contains(message, each.says)) << message;
  }
  EXPECT_EQ(keys.announced(), "");
}

TEST(PlatformKeys, SayWhatWasGivenInThePlaceOfACertificate) {
  PlatformKeys keys;
  EXPECT_TRUE(contains(message_of(keys.add_certificate(public_key_pem(key()))), "holds a public key"));
  EXPECT_TRUE(contains(message_of(keys.add_certificate("hello")), "is not PEM"));
  EXPECT_TRUE(contains(message_of(keys.add_certificate(platform_certificate("0A").substr(0, 300))), "damaged"));
  const PkeyHandle elliptic(EVP_EC_gen("P-256"));
  const auto certificate = make_certificate({"Tenpay.com sign", "0A", {}, false}, elliptic.get());
  EXPECT_TRUE(contains(message_of(keys.add_certificate(certificate_pem(certificate.get()))), "not an RSA key"));
  const PkeyHandle weak = make_rsa_key(1024);
  const auto of_weak = make_certificate({"Tenpay.com sign", "0A", {}, false}, weak.get());
  EXPECT_TRUE(contains(message_of(keys.add_certificate(certificate_pem(of_weak.get()))), "has 1024 bits"));
  EXPECT_TRUE(keys.serials().empty());
}

TEST(PlatformKeys, ReplaceAKeyWhileOthersUseTheOldOne) {
  PlatformKeys keys;
  const std::string first = public_key_pem(key());
  const std::string second = public_key_pem(read_key(public_key_test_key).get());
  ASSERT_TRUE(keys.add_public_key(id, first));
  std::atomic<bool> done{false};
  std::atomic<int> found{0};
  std::thread reader([&] {
    while (!done) {
      if (keys.verify(id, "message", std::string(256, 'x')) == PlatformKeys::Verdict::mismatch) ++found;
    }
  });
  for (int i = 0; i < 200 || found == 0; ++i) ASSERT_TRUE(keys.add_public_key(id, i % 2 == 0 ? second : first));
  done = true;
  reader.join();
  EXPECT_GT(found, 0);
  EXPECT_EQ(keys.serials().size(), 1U);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

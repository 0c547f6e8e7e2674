#include "wechatpay/bonus_commit/credentials.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <filesystem>

#include "src/openssl/certificate.hpp"
#include "src/testing/test_keys.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr const char* mchid = test_mchid;
constexpr const char* serial = test_serial_no;

/// A merchant's key and certificate.
struct Merchant {
  PkeyHandle key = read_key(merchant_test_key);
  CertificateHandle certificate = make_certificate({mchid, serial, {}, false}, key.get());
  std::string key_pem = private_key_pem(key.get());
  std::string certificate_text = certificate_pem(certificate.get());
};

Merchant& merchant() {
  static Merchant made;
  return made;
}

std::string message_of(const Result<Credentials>& result) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
  EXPECT_FALSE(contains(result.error().message, "BEGIN")) << "key material in: " << result.error().message;
  return result.error().message;
}

void expect_usable(const Result<Credentials>& credentials) {
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->mchid(), mchid);
  EXPECT_EQ(credentials->serial_no(), serial);
  EXPECT_EQ(credentials->signer().sign("message").value().size(), 256U);
}

TEST(Credentials, ReadMerchantIdAndSerialNumberFromTheCertificate) {
  expect_usable(Credentials::from_pem(merchant().certificate_text, merchant().key_pem));
}

TEST(Credentials, ComeFromFiles) {
  const TemporaryFolder folder;
  const auto certificate = folder.write("apiclient_cert.pem", merchant().certificate_text);
  const auto key = folder.write("apiclient_key.pem", merchant().key_pem);
  expect_usable(Credentials::from_pem_files(certificate, key));
  expect_usable(Credentials::from_key_file(mchid, serial, key));
}

TEST(Credentials, ComeFromEveryFormOfKey) {
  for (const KeyFormat format : {KeyFormat::pkcs8, KeyFormat::pkcs1}) {
    for (const char* passphrase : {"", "secret 密码"}) {
      const std::string pem = private_key_pem(merchant().key.get(), format, passphrase);
      expect_usable(Credentials::from_pem(merchant().certificate_text, pem, passphrase));
      expect_usable(Credentials::from_key(mchid, serial, pem, passphrase));
    }
  }
}

TEST(Credentials, AllFormsSignAlike) {
  const std::string p12 = pkcs12(merchant().key.get(), merchant().certificate.get(), mchid);
  const auto one = Credentials::from_p12(p12, mchid);
  const auto other = Credentials::from_key(mchid, serial, private_key_pem(merchant().key.get(), KeyFormat::pkcs1));
  EXPECT_EQ(one.value().signer().sign("message").value(), other.value().signer().sign("message").value());
}

TEST(Credentials, ComeFromPkcs12) {
  const TemporaryFolder folder;
  for (const bool legacy : {false, true}) {
    const std::string p12 = pkcs12(merchant().key.get(), merchant().certificate.get(), mchid, legacy);
    expect_usable(Credentials::from_p12(p12, mchid));
    expect_usable(Credentials::from_p12_file(folder.write("apiclient_cert.p12", p12), mchid));
  }
}

TEST(Credentials, LeaveTheLegacyProviderOutOfTheProcess) {
  const std::string p12 = pkcs12(merchant().key.get(), merchant().certificate.get(), mchid, true);
  expect_usable(Credentials::from_p12(p12, mchid));
  EXPECT_EQ(OSSL_PROVIDER_available(nullptr, "legacy"), 0);
}

TEST(Credentials, KeepLeadingZerosAndRaiseTheCaseOfASerialNumber) {
  const auto credentials = Credentials::from_key(mchid, "00ab8b07", merchant().key_pem);
  EXPECT_EQ(credentials.value().serial_no(), "00AB8B07");
}

TEST(Credentials, NameAKeyThatDoesNotBelongToTheCertificate) {
  const TemporaryFolder folder;
  const auto certificate = folder.write("apiclient_cert.pem", merchant().certificate_text);
  const auto key = folder.write("other_key.pem", private_key_pem(read_key(public_key_test_key).get()));
  const std::string message = message_of(Credentials::from_pem_files(certificate, key));
  EXPECT_TRUE(contains(message, "other_key.pem does not belong to " + certificate)) << message;
  EXPECT_TRUE(contains(message, serial)) << message;
}

TEST(Credentials, SayWhatIsInTheFileWhereThePrivateKeyBelongs) {
  const struct {
    std::string content;
    const char* says;
  } cases[] = {
      {merchant().certificate_text, "holds a certificate"},
      {public_key_pem(merchant().key.get()), "holds a public key"},
      {"", "is empty"},
      {"hello", "is not PEM"},
      {std::string("\x30\x82\x01", 3), "is binary"},
      {merchant().key_pem.substr(0, 400), "damaged or incomplete"},
      {"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "damaged or incomplete"},
  };
  const TemporaryFolder folder;
  for (const auto& each : cases) {
    const auto file = folder.write("apiclient_key.pem", each.content);
    const std::string message = message_of(Credentials::from_key_file(mchid, serial, file));
    EXPECT_TRUE(contains(message, each.says)) << message;
    EXPECT_TRUE(contains(message, file)) << message;
  }
}

TEST(Credentials, SayWhatIsInTheFileWhereTheCertificateBelongs) {
  const struct {
    std::string content;
    const char* says;
  } cases[] = {
      {merchant().key_pem, "holds a private key"},
      {public_key_pem(merchant().key.get()), "holds a public key"},
      {"hello", "is not PEM"},
      {merchant().certificate_text.substr(0, 300), "damaged or incomplete"},
      {certificate_pem(make_certificate({"Tenpay.com sign", serial, {}, false}, merchant().key.get()).get()),
       "apiclient_cert.pem belongs here"},
  };
  for (const auto& each : cases) {
    const std::string message = message_of(Credentials::from_pem(each.content, merchant().key_pem));
    EXPECT_TRUE(contains(message, each.says)) << message;
  }
}

TEST(Credentials, RefuseKeysThatAreNotRsaOrTooShort) {
  const PkeyHandle elliptic(EVP_EC_gen("P-256"));
  const std::string message = message_of(Credentials::from_key(mchid, serial, private_key_pem(elliptic.get())));
  EXPECT_TRUE(contains(message, "not an RSA key")) << message;
  const std::string short_message =
      message_of(Credentials::from_key(mchid, serial, private_key_pem(make_rsa_key(1024).get())));
  EXPECT_TRUE(contains(short_message, "has 1024 bits")) << short_message;
}

TEST(Credentials, RefuseAPkcs12FileWhoseKeyIsNotRsaOrTooShort) {
  for (const auto& [key, says] : {std::pair(make_elliptic_key(), "not an RSA key; WeChat Pay signs with RSA"),
                                  std::pair(make_rsa_key(1024), "has 1024 bits; WeChat Pay's keys have 2048")}) {
    const auto certificate = make_certificate({mchid, serial, {}, false}, key.get());
    const std::string message = message_of(Credentials::from_p12(pkcs12(key.get(), certificate.get(), mchid), mchid));
    EXPECT_TRUE(contains(message, says)) << message;
  }
}

TEST(Credentials, TakeALongerKeyThanWechatPayMakes) {
  const PkeyHandle key = make_rsa_key(3072);
  EXPECT_TRUE(Credentials::from_key(mchid, serial, private_key_pem(key.get())));
}

TEST(Credentials, TellAMissingFromAWrongPassphraseAndRepeatNeither) {
  for (const KeyFormat format : {KeyFormat::pkcs8, KeyFormat::pkcs1}) {
    const std::string pem = private_key_pem(merchant().key.get(), format, "correct-passphrase");
    const std::string missing = message_of(Credentials::from_key(mchid, serial, pem));
    EXPECT_TRUE(contains(missing, "is encrypted: give its passphrase")) << missing;
    const std::string wrong = message_of(Credentials::from_key(mchid, serial, pem, "wrong-passphrase"));
    EXPECT_TRUE(contains(wrong, "the passphrase is wrong")) << wrong;
    EXPECT_FALSE(contains(wrong, "wrong-passphrase")) << wrong;
  }
  const std::string p12 = pkcs12(merchant().key.get(), merchant().certificate.get(), mchid);
  const std::string wrong = message_of(Credentials::from_p12(p12, "wrong-passphrase"));
  EXPECT_TRUE(contains(wrong, "the passphrase is wrong")) << wrong;
  EXPECT_FALSE(contains(wrong, "wrong-passphrase")) << wrong;
}

TEST(Credentials, RefuseWhatIsNotPkcs12) {
  EXPECT_TRUE(contains(message_of(Credentials::from_p12(merchant().key_pem, mchid)), "holds a private key"));
  EXPECT_TRUE(contains(message_of(Credentials::from_p12("", mchid)), "is empty"));
  const std::string p12 = pkcs12(merchant().key.get(), merchant().certificate.get(), mchid);
  EXPECT_TRUE(contains(message_of(Credentials::from_p12(p12.substr(0, p12.size() / 2), mchid)), "damaged"));
}

TEST(Credentials, WantTheMerchantIdInDigitsAndNameWhatWasGiven) {
  const struct {
    std::string given;
    const char* says;
  } cases[] = {
      {"", "it is empty"},
      {"wxd678efh567hg6787", "looks like an appid"},
      {serial, "looks like a certificate's serial number"},
      {"PUB_KEY_ID_0114232134912410000000000000000000", "a public key's id"},
      {"１900000001", "the full-width digit U+FF11"},
      {"1900000001\u200B", "U+200B, which cannot be seen"},
      {"1900000001 ", "holds a blank"},
      {"1900000001\n", "U+000A, which cannot be seen"},
      {"19\xFF", "not UTF-8"},
      {std::string(33, '1'), "it has 33"},
      {"correct-horse", "1 to 32 digits"},
      {"19\"", "1 to 32 digits"},
      {"商户", "1 to 32 digits"},
  };
  class Hsm final : public Signer {
    Result<std::string> sign(std::string_view) const override { return std::string(); }
  };
  for (const auto& each : cases) {
    for (const std::string& message :
         {message_of(Credentials::from_key(each.given, serial, merchant().key_pem)),
          message_of(Credentials::from_signer(each.given, serial, std::make_shared<Hsm>()))}) {
      EXPECT_TRUE(contains(message, "mchid must be the merchant id")) << message;
      EXPECT_TRUE(contains(message, each.says)) << message;
      EXPECT_TRUE(each.given.empty() || !contains(message, each.given)) << "quoted: " << message;
    }
  }
}

TEST(Credentials, WantTheMerchantIdInDigitsInACertificate) {
  const TemporaryFolder folder;
  for (const std::string name : {"api.mch.weixin.qq.com", "wxd678efh567hg6787", "商户", "19 00", "1900000001\n"}) {
    const auto certificate = make_certificate({name, serial, {}, false}, merchant().key.get());
    const std::string pem = certificate_pem(certificate.get());
    const std::string p12 = pkcs12(merchant().key.get(), certificate.get(), "passphrase");
    for (const std::string& message :
         {message_of(Credentials::from_pem(pem, merchant().key_pem)),
          message_of(
              Credentials::from_pem_files(folder.write("cert.pem", pem), folder.write("key.pem", merchant().key_pem))),
          message_of(Credentials::from_p12(p12, "passphrase")),
          message_of(Credentials::from_p12_file(folder.write("cert.p12", p12), "passphrase"))}) {
      EXPECT_TRUE(contains(message, "where a merchant's certificate names its merchant id")) << message;
    }
  }
}

TEST(Credentials, WantTheSerialNumberInHexAndNameWhatWasGiven) {
  const struct {
    std::string given;
    const char* says;
  } cases[] = {
      {"", "is empty"},
      {"367734023472347234723472347234723472347234723472", "48 digits, as the serial number has in decimal"},
      {"A8B07E79B8269FEC3D5D3E6AB8ED163A6A380DB", "39 digits of hex, an odd number"},
      {"0A:8B:07:E7", "has colons"},
      {"0A 8B 07 E7", "has blanks"},
      {"0x0A8B07", "begins with 0x"},
      {"0X0A8B07", "begins with 0x"},
      {"PUB_KEY_ID_1", "the id of WeChat Pay's public key"},
      {std::string(42, 'A'), "42 digits of hex; a serial number has 40 at most"},
      {mchid, "is the merchant id"},
      {"correct-horse-battery", "has 21 bytes that are not all digits of hex"},
      {"AB\"", "3 bytes"},
      {"序", "3 bytes"},
  };
  for (const auto& each : cases) {
    const std::string message = message_of(Credentials::from_key(mchid, each.given, merchant().key_pem));
    EXPECT_TRUE(contains(message, "serial_no " + std::string(each.given.empty() ? "is" : ""))) << message;
    EXPECT_TRUE(contains(message, each.says)) << message;
    EXPECT_TRUE(each.given.empty() || !contains(message, each.given)) << "quoted: " << message;
  }
  const std::string swapped = message_of(Credentials::from_key(serial, mchid, merchant().key_pem));
  EXPECT_TRUE(contains(swapped, "mchid and serial_no are in each other's place")) << swapped;
  for (const std::string& other : {message_of(Credentials::from_key("correct-horse", mchid, merchant().key_pem)),
                                   message_of(Credentials::from_key(serial, serial, merchant().key_pem))}) {
    EXPECT_TRUE(contains(other, "mchid must be the merchant id")) << other;
    EXPECT_FALSE(contains(other, "in each other's place")) << other;
  }
}

TEST(Credentials, TakeTheCertificateOfAFileThatBelongsToTheKey) {
  const auto authority = make_certificate({"Tenpay.com Root CA", "0C", {}, true}, read_key(public_key_test_key).get());
  const std::string chain = certificate_pem(authority.get()) + merchant().certificate_text;
  expect_usable(Credentials::from_pem(chain, merchant().key_pem));
}

TEST(Credentials, RefuseASecondCertificateThatIsDamaged) {
  const std::string half = merchant().certificate_text.substr(0, 300);
  const std::string message = message_of(Credentials::from_pem(merchant().certificate_text + half, merchant().key_pem));
  EXPECT_TRUE(contains(message, "damaged or incomplete")) << message;
}

TEST(Credentials, SayThatACertificateCannotBeUsedRatherThanThatItBelongsToAnotherKey) {
  auto negative = make_certificate({mchid, serial, {}, false}, merchant().key.get());
  ASSERT_EQ(ASN1_INTEGER_set_int64(X509_get_serialNumber(negative.get()), -5), 1);
  auto dateless = make_certificate({mchid, serial, {}, false}, merchant().key.get());
  ASSERT_EQ(ASN1_STRING_set(X509_getm_notAfter(dateless.get()), "never", 5), 1);
  for (X509* const certificate : {negative.get(), dateless.get()}) {
    ASSERT_GT(X509_sign(certificate, merchant().key.get(), EVP_sha256()), 0);
    const std::string message = message_of(Credentials::from_pem(certificate_pem(certificate), merchant().key_pem));
    EXPECT_TRUE(contains(message, "whose key, dates or serial number cannot be used")) << message;
  }
}

TEST(Credentials, WarnOfACertificateOutsideItsDates) {
  const auto now = std::chrono::system_clock::now();
  const auto day = std::chrono::hours(24);
  const auto warnings = [&](std::chrono::hours from, std::chrono::hours to) {
    CertificateOptions options{mchid, serial, {}, false};
    options.not_before = now + from;
    options.not_after = now + to;
    const auto certificate = make_certificate(options, merchant().key.get());
    return Credentials::from_pem(certificate_pem(certificate.get()), merchant().key_pem).value().warnings(now);
  };
  EXPECT_TRUE(warnings(-day, 31 * day).empty());
  ASSERT_EQ(warnings(-10 * day, -3 * day).size(), 1U);
  EXPECT_TRUE(contains(warnings(-10 * day, -3 * day)[0], "expired 3 days ago"));
  EXPECT_TRUE(contains(warnings(-day, 30 * day)[0], "expires in 29 days")) << warnings(-day, 30 * day)[0];
  EXPECT_TRUE(contains(warnings(3 * day, 30 * day)[0], "not valid yet"));
}

TEST(Credentials, WarnOfACertificateFromThe30thDayBeforeItsEndOn) {
  constexpr std::int64_t end = 1'800'000'000;
  constexpr std::int64_t day = std::int64_t{24} * 60 * 60;
  CertificateOptions options{mchid, serial, {}, false};
  options.not_before = at(1'700'000'000);
  options.not_after = at(end);
  const auto certificate = make_certificate(options, merchant().key.get());
  const auto credentials = Credentials::from_pem(certificate_pem(certificate.get()), merchant().key_pem).value();
  const std::string name = "the merchant's certificate " + std::string(serial);
  const std::string cure = ": get a new one on the merchant platform";
  const struct {
    std::int64_t now;
    std::string says;
  } cases[] = {
      {end - 30 * day, ""},
      {end - 30 * day + 1, name + " expires in 29 days" + cure},
      {end - day, name + " expires in 1 day" + cure},
      {end, name + " expires in 0 days" + cure},
      {end + day, name + " expired 1 day ago" + cure},
      {1'700'000'000, ""},
      {1'700'000'000 - day, name + " is not valid yet, for 1 day: check this machine's clock"},
  };
  for (const auto& each : cases) {
    const auto expected = each.says.empty() ? std::vector<std::string>{} : std::vector<std::string>{each.says};
    EXPECT_EQ(credentials.warnings(at(each.now)), expected) << each.now;
  }
}

TEST(Credentials, WarnOfACertificateWhateverCenturyItIsOf) {
  using Clock = std::chrono::system_clock;
  CertificateOptions options{mchid, serial, {}, false};
  options.not_before = at(-8'100'000'000);
  options.not_after = at(-8'000'000'000);  // the year 1716
  const auto certificate = make_certificate(options, merchant().key.get());
  const auto old = Credentials::from_pem(certificate_pem(certificate.get()), merchant().key_pem).value();
  EXPECT_TRUE(contains(old.warnings(at(1'700'000'000)).at(0), "expired 112268 days ago"));
  EXPECT_TRUE(contains(old.warnings((Clock::time_point::max)()).at(0), "expired 19"));
  EXPECT_TRUE(contains(old.warnings((Clock::time_point::min)()).at(0), "not valid yet"));
  for (const char* end : {"00010101000000Z", "99991231235959Z"}) {
    ASSERT_EQ(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), end), 1);
    ASSERT_GT(X509_sign(certificate.get(), merchant().key.get(), EVP_sha256()), 0);
    const auto strange = Credentials::from_pem(certificate_pem(certificate.get()), merchant().key_pem).value();
    EXPECT_LE(strange.warnings((Clock::time_point::max)()).size(), 1U) << end;
    EXPECT_LE(strange.warnings((Clock::time_point::min)()).size(), 1U) << end;
  }
}

TEST(Credentials, TellWhenTheCertificateEnds) {
  CertificateOptions options{mchid, serial, {}, false};
  options.not_before = at(1700000000);
  options.not_after = at(1800000000);
  const auto certificate = make_certificate(options, merchant().key.get());
  EXPECT_EQ(Credentials::from_pem(certificate_pem(certificate.get()), merchant().key_pem).value().not_after(),
            at(1800000000));
  EXPECT_EQ(Credentials::from_key(mchid, serial, merchant().key_pem).value().not_after(), std::nullopt);
}

TEST(Credentials, HaveNoWarningsWithoutACertificate) {
  EXPECT_TRUE(Credentials::from_key(mchid, serial, merchant().key_pem).value().warnings().empty());
}

TEST(Credentials, TakeASignerOfTheUsers) {
  class Hsm final : public Signer {
    Result<std::string> sign(std::string_view message) const override { return std::string(message); }
  };
  const auto credentials = Credentials::from_signer(mchid, serial, std::make_shared<Hsm>());
  EXPECT_EQ(credentials.value().signer().sign("x").value(), "x");
  EXPECT_TRUE(contains(message_of(Credentials::from_signer(mchid, serial, nullptr)), "signer"));
}

TEST(Credentials, LeaveOpenSslsErrorQueueAsTheyFoundIt) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 42);
  const unsigned long before = ERR_peek_last_error();
  static_cast<void>(Credentials::from_key(mchid, serial, "-----BEGIN PRIVATE KEY-----\n!!"));
  static_cast<void>(Credentials::from_p12("\x30", mchid));
  static_cast<void>(
      Credentials::from_pem(merchant().certificate_text, private_key_pem(read_key(public_key_test_key).get())));
  EXPECT_EQ(ERR_peek_last_error(), before);
  EXPECT_EQ(ERR_get_error(), before);
  EXPECT_EQ(ERR_get_error(), 0U);
}

TEST(ValidityOf, BoundsWhatTheClockCannotHold) {
  const auto certificate = make_certificate({mchid, serial, {}, false}, merchant().key.get());
  ASSERT_EQ(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), "99991231235959Z"), 1);
  EXPECT_GT(validity_of(certificate.get()).value().not_after,
            std::chrono::system_clock::now() + std::chrono::hours(24 * 365 * 100));
}

TEST(SerialOf, HasTwoDigitsForEachByte) {
  for (const char* number : {"0102030405", "00"}) {
    const auto certificate = make_certificate({mchid, number, {}, false}, merchant().key.get());
    EXPECT_EQ(serial_of(certificate.get()), number);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

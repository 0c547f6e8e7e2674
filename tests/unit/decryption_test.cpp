#include "src/openssl/decryption.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <cstdlib>

#include "src/openssl/p12.hpp"
#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* passphrase = "correct-passphrase";

X509* certificate() { return test_certificate(); }

template <typename Write>
std::string text_of(const Write& write) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(write(bio.get()), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

/// PKCS#8, encrypted with PBES1 (or its PKCS#12 variants).
std::string pbes1(int encryption, int rounds = 2048) {
  const Pkcs8Handle plain(EVP_PKEY2PKCS8(test_key()));
  const Decryption with_legacy_ciphers("");
  const EncryptedPkcs8Handle sealed(
      PKCS8_encrypt(encryption, nullptr, passphrase, -1, nullptr, 0, rounds, plain.get()));
  return text_of([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, sealed.get()); });
}

/// PKCS#8, encrypted with PBES2 and the parameters that `make` returns.
template <typename Make>
std::string pbes2_of(const Make& make) {
  const Pkcs8Handle plain(EVP_PKEY2PKCS8(test_key()));
  const Decryption with_legacy_ciphers("");
  const EncryptedPkcs8Handle sealed(PKCS8_set0_pbe(passphrase, -1, plain.get(), make()));
  return text_of([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, sealed.get()); });
}

std::string pbes2(const char* cipher, int rounds) {
  return pbes2_of([&] { return PKCS5_pbe2_set(EVP_get_cipherbyname(cipher), rounds, nullptr, 0); });
}

std::string scrypt(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
  return pbes2_of([&] { return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, n, r, p); });
}

/// PKCS#1, encrypted in the older PEM format.
std::string traditional(const char* cipher) {
  EVP_PKEY* const own = test_key();
  const Decryption with_legacy_ciphers("");
  return text_of([&](BIO* bio) {
    return PEM_write_bio_PrivateKey_traditional(bio, own, EVP_get_cipherbyname(cipher),
                                                reinterpret_cast<const unsigned char*>(passphrase), 18, nullptr,
                                                nullptr);
  });
}

struct P12Form {
  int key_cipher = 0;
  int certificate_cipher = 0;
  int rounds = 0;
  int mac_rounds = 0;  ///< -1: without a MAC
};

std::string p12_of(const P12Form& form) {
  X509* const of_key = certificate();
  const Decryption with_legacy_ciphers("");
  const Pkcs12Handle p12(PKCS12_create(passphrase, "apiclient", test_key(), of_key, nullptr, form.key_cipher,
                                       form.certificate_cipher, form.rounds, form.mac_rounds, 0));
  return text_of([&](BIO* bio) { return i2d_PKCS12_bio(bio, p12.get()); });
}

std::string fault_of(const Result<Credentials>& result) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
  EXPECT_EQ(result.error().remedy, Remedy::correct_setup);
  EXPECT_FALSE(contains(result.error().message, passphrase)) << result.error().message;
  return result.error().message;
}

Result<Credentials> from_key(const std::string& pem, std::string_view given = passphrase) {
  return Credentials::from_key(test_mchid, test_serial_no, pem, given);
}

std::vector<std::string> legacy_keys() {
  return {pbes1(NID_pbeWithMD5AndDES_CBC),
          pbes1(NID_pbeWithSHA1AndDES_CBC),
          pbes1(NID_pbeWithMD5AndRC2_CBC),
          pbes1(NID_pbe_WithSHA1And40BitRC2_CBC),
          pbes1(NID_pbe_WithSHA1And128BitRC2_CBC),
          pbes1(NID_pbe_WithSHA1And128BitRC4),
          pbes2("DES-CBC", 2048),
          traditional("DES-CBC"),
          traditional("RC2-CBC"),
          traditional("BF-CBC")};
}

std::vector<std::string> modern_keys() {
  return {pbes1(NID_pbe_WithSHA1And3_Key_TripleDES_CBC), pbes2("AES-256-CBC", 1'000'000), scrypt(16384, 8, 1),
          traditional("AES-256-CBC"), traditional("DES-EDE3-CBC")};
}

TEST(Decryption, KnowsEveryCipherOfKeysInPem) {
  for (const auto& keys : {legacy_keys(), modern_keys()}) {
    for (const std::string& pem : keys) {
      const auto credentials = from_key(pem);
      ASSERT_TRUE(credentials) << credentials.error().message << "\n" << pem.substr(0, 120);
      EXPECT_EQ(credentials->signer().sign("message").value().size(), 256U);
    }
  }
  EXPECT_EQ(OSSL_PROVIDER_available(nullptr, "legacy"), 0) << "the process at large has no legacy provider";
}

TEST(Decryption, TellsAMissingPassphraseFromAWrongOne) {
  for (const auto& keys : {legacy_keys(), modern_keys()}) {
    for (const std::string& pem : keys) {
      EXPECT_TRUE(contains(fault_of(from_key(pem, "")), "is encrypted: give its passphrase"));
      const std::string wrong = fault_of(from_key(pem, "another passphrase"));
      EXPECT_TRUE(contains(wrong, "the passphrase is wrong, or the file is damaged")) << wrong;
    }
  }
}

TEST(Decryption, NamesALegacyCipherThatOpenSslLacksAndNeverCallsThePassphraseWrong) {
  const auto keys = legacy_keys();
  const std::string p12 = pkcs12(test_key(), certificate(), test_mchid, true);
  const TestEnvironment without_modules{{"OPENSSL_MODULES", "/no/such/folder"}};
  for (const char* given : {passphrase, "another passphrase"}) {
    for (const std::string& pem : keys) {
      const std::string message = fault_of(from_key(pem, given));
      EXPECT_TRUE(contains(message, "which this OpenSSL does not have (its legacy provider is not installed)"))
          << message;
      EXPECT_TRUE(contains(message, "openssl pkcs8 -topk8 -v2 aes-256-cbc")) << message;
      EXPECT_FALSE(contains(message, "passphrase")) << message;
    }
  }
  EXPECT_TRUE(contains(fault_of(from_key(keys.at(7))), "is encrypted with DES-CBC"));
  const std::string message = fault_of(Credentials::from_p12(p12, test_mchid));
  EXPECT_TRUE(contains(message, "is encrypted with RC2-40-CBC, which this OpenSSL does not have")) << message;
  for (const std::string& pem : modern_keys()) EXPECT_TRUE(from_key(pem));
}

TEST(Decryption, SaysThatNoProviderIsActiveWhateverIsRead) {
  const std::string key_pem = private_key_pem(test_key());
  const std::string certificate_text = certificate_pem(certificate());
  const std::string p12 = pkcs12(test_key(), certificate(), test_mchid);
  const std::string encrypted = traditional("AES-256-CBC");
  // Has the same effect as an openssl.cnf that activates only the null provider.
  const LibraryContextHandle library(OSSL_LIB_CTX_new());
  const ProviderHandle none(OSSL_PROVIDER_load(library.get(), "null"));
  OSSL_LIB_CTX* const previous = OSSL_LIB_CTX_set0_default(library.get());
  PlatformKeys keys;
  const auto message = [](const auto& result) { return result ? "accepted" : result.error().message; };
  for (const std::string& said :
       {message(Credentials::from_pem(certificate_text, key_pem)), message(Credentials::from_p12(p12, test_mchid)),
        message(from_key(encrypted)), message(keys.add_public_key("PUB_KEY_ID_1", public_key_pem(test_key()))),
        message(keys.add_certificate(certificate_text))}) {
    EXPECT_TRUE(contains(said, "activates no provider that does; activate the default provider")) << said;
  }
  OSSL_LIB_CTX_set0_default(previous);
  EXPECT_TRUE(Credentials::from_pem(certificate_text, key_pem));
}

TEST(Decryption, SaysWhatToTrimOffAPassphraseThatFitsWithoutIt) {
  const std::string right = passphrase;
  const struct {
    std::string given;
    const char* says;
  } cases[] = {
      {right + "\n", "it ends with a line break, and fits without it"},
      {right + "\r\n", "it ends with a line break, and fits without it"},
      {right + " ", "it ends with a blank, and fits without it"},
      {right + "\t", "it ends with a blank, and fits without it"},
      {right + "\r", "it ends with a line break, and fits without it"},
      {" " + right, "it begins with a blank, and fits without it"},
      {"\t" + right, "it begins with a blank, and fits without it"},
      {"\xEF\xBB\xBF" + right, "it begins with a byte order mark, and fits without it"},
      {"\xEF\xBB\xBF" + right + "\n", "it begins with a byte order mark, and fits without it"},
      {"wrong\n", "is wrong, or the file is damaged"},
      {" ", "is wrong, or the file is damaged"},
      {std::string(1025, 'x'), "is longer than 1024 bytes"},
  };
  for (const std::string& pem : {modern_keys().at(0), traditional("DES-CBC")}) {
    for (const auto& each : cases) {
      const std::string message = fault_of(from_key(pem, each.given));
      EXPECT_TRUE(contains(message, each.says)) << message;
    }
  }
  for (const auto& each : cases) {
    const std::string message = fault_of(Credentials::from_p12(p12_of({}), each.given));
    EXPECT_TRUE(contains(message, each.says)) << message;
  }
}

TEST(Decryption, ReadsAPkcs12FileWithoutAMac) {
  for (const P12Form& form :
       {P12Form{0, 0, 0, -1}, P12Form{NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_pbe_WithSHA1And40BitRC2_CBC, 0, -1},
        P12Form{-1, -1, 0, -1}}) {
    const auto credentials = Credentials::from_p12(p12_of(form), passphrase);
    ASSERT_TRUE(credentials) << credentials.error().message;
    EXPECT_EQ(credentials->mchid(), test_mchid);
  }
  EXPECT_TRUE(Credentials::from_p12(p12_of({-1, -1, 0, -1}), "")) << "nothing in it is encrypted";
  const std::string wrong = fault_of(Credentials::from_p12(p12_of({0, 0, 0, -1}), "wrong"));
  EXPECT_TRUE(contains(wrong, "the passphrase is wrong, or the file is damaged (WeChat Pay sets the merchant id)"))
      << wrong;
  const std::string missing = fault_of(Credentials::from_p12(p12_of({}), ""));
  EXPECT_TRUE(contains(missing, "is encrypted: give its passphrase (WeChat Pay sets the merchant id)")) << missing;
}

TEST(Decryption, DoesNotCallAPassphraseWrongThatTheMacHasProved) {
  const std::string whole = p12_of({-1, -1, 0, 0});
  const auto* at = reinterpret_cast<const unsigned char*>(whole.data());
  const Pkcs12Handle p12(d2i_PKCS12(nullptr, &at, static_cast<long>(whole.size())));
  // Adds a part that is encrypted with another passphrase, and a MAC over the whole file.
  STACK_OF(PKCS7)* const safes = PKCS12_unpack_authsafes(p12.get());
  STACK_OF(PKCS12_SAFEBAG)* const no_bags = sk_PKCS12_SAFEBAG_new_null();
  PKCS7* const strange = PKCS12_pack_p7encdata(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, "another passphrase", -1,
                                               nullptr, 0, 2048, no_bags);
  sk_PKCS12_SAFEBAG_free(no_bags);
  ASSERT_GT(sk_PKCS7_push(safes, strange), 0);
  ASSERT_EQ(PKCS12_pack_authsafes(p12.get(), safes), 1);
  sk_PKCS7_pop_free(safes, PKCS7_free);
  ASSERT_EQ(PKCS12_set_mac(p12.get(), passphrase, -1, nullptr, 0, 2048, nullptr), 1);
  const std::string bytes = text_of([&](BIO* bio) { return i2d_PKCS12_bio(bio, p12.get()); });
  const std::string message = fault_of(Credentials::from_p12(bytes, passphrase));
  EXPECT_TRUE(contains(message, "is PKCS#12 that is damaged or of a kind that is not known")) << message;
}

/// The number of rounds in DER, in three bytes, so that one number can replace another.
std::string rounds_in_der(int rounds) {
  const auto byte = [rounds](int shift) { return static_cast<char>((rounds >> shift) & 0xFF); };
  return {'\x02', '\x03', byte(16), byte(8), byte(0)};
}

constexpr int few = 65536;
constexpr int most = 5'000'000;

/// `bytes` with `rounds` instead of each `few`, or instead of the last one only.
std::string with_rounds(std::string bytes, int rounds, bool last_alone = false) {
  const std::size_t last = bytes.rfind(rounds_in_der(few));
  EXPECT_NE(last, std::string::npos);
  std::size_t at = last_alone ? last : bytes.find(rounds_in_der(few));
  for (; at != std::string::npos; at = bytes.find(rounds_in_der(few), at)) bytes.replace(at, 5, rounds_in_der(rounds));
  return bytes;
}

/// The same for a PEM text: replaces `part` by `by`.
std::string pem_with(const std::string& pem, const std::string& part, const std::string& by) {
  const BioHandle in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const EncryptedPkcs8Handle sealed(PEM_read_bio_PKCS8(in.get(), nullptr, nullptr, nullptr));
  std::string der(static_cast<std::size_t>(i2d_X509_SIG(sealed.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509_SIG(sealed.get(), &out);
  der.replace(der.find(part), part.size(), by);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const EncryptedPkcs8Handle costly(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
  return text_of([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, costly.get()); });
}

TEST(Decryption, RefusesAtOnceWhatAsksForTooManyRounds) {
  const std::string too_many = rounds_in_der(most + 1);
  const std::string costly[] = {
      pem_with(pbes1(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, few), rounds_in_der(few), too_many),
      pem_with(pbes1(NID_pbeWithMD5AndDES_CBC, few), rounds_in_der(few), too_many),
      pem_with(pbes2("AES-256-CBC", few), rounds_in_der(few), too_many),
      pem_with(scrypt(32, 8, 300), "\x02\x02\x01\x2C", "\x02\x02\x7F\xFF"),
      pem_with(pbes2("AES-256-CBC", few), rounds_in_der(few), rounds_in_der(-most)),
  };
  for (const std::string& pem : costly) {
    const std::string message = fault_of(from_key(pem));
    EXPECT_TRUE(contains(message, "asks for more than 5000000 rounds of key derivation")) << message;
  }
  for (const P12Form& form : {P12Form{0, 0, few, few}, P12Form{0, 0, few, -1}, P12Form{0, 0, 1, few}}) {
    for (const int rounds : {most + 1, -most}) {
      const std::string message = fault_of(Credentials::from_p12(with_rounds(p12_of(form), rounds), passphrase));
      EXPECT_TRUE(contains(message, "asks for more than 5000000 rounds of key derivation")) << message;
    }
  }
}

TEST(Decryption, TakesAsManyRoundsAsItAllows) {
  Decryption decryption("");
  EXPECT_TRUE(decryption.takes(most - 1));
  EXPECT_TRUE(decryption.takes(1));
  EXPECT_EQ(decryption.fault(), "");
  EXPECT_FALSE(decryption.takes(1));
  EXPECT_TRUE(contains(decryption.fault(), "asks for more than 5000000 rounds of key derivation"));
}

/// Object identifiers in DER.
constexpr std::string_view pbkdf2_id("\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x05\x0C", 11);
constexpr std::string_view scrypt_id("\x06\x09\x2B\x06\x01\x04\x01\xDA\x47\x04\x0B", 11);
constexpr std::string_view triple_des_id("\x06\x0A\x2A\x86\x48\x86\xF7\x0D\x01\x0C\x01\x03", 12);
constexpr std::string_view aes_id("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2A", 11);

TEST(Decryption, SaysThatAFileIsDamagedWhereItsEncryptionCannotBeRead) {
  for (const auto& [pem, id] : {std::pair(pbes2("AES-256-CBC", few), pbkdf2_id),
                                {scrypt(32, 8, 300), scrypt_id},
                                {pbes1(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, few), triple_des_id}}) {
    const std::string not_a_sequence = std::string(id) + "\x04";
    const std::string message = fault_of(from_key(pem_with(pem, std::string(id) + "\x30", not_a_sequence)));
    EXPECT_TRUE(contains(message, "is damaged: how it is encrypted cannot be read")) << message;
  }
}

/// `id` with another last number, so that it names no algorithm.
std::string unknown(std::string_view id) { return std::string(id.substr(0, id.size() - 1)) + "\x7D"; }

TEST(Decryption, SaysWhereAnEncryptionIsNotKnown) {
  const std::string pem = pbes2("AES-256-CBC", few);
  const std::string cipher = fault_of(from_key(pem_with(pem, std::string(aes_id), unknown(aes_id))));
  EXPECT_TRUE(contains(cipher, "is encrypted with an algorithm, which this OpenSSL does not have: convert it"))
      << cipher;
  const std::string derivation = fault_of(from_key(pem_with(pem, std::string(pbkdf2_id), unknown(pbkdf2_id))));
  EXPECT_TRUE(contains(derivation, "the passphrase is wrong, or the file is damaged")) << derivation;
}

/// A value in DER. Longer ones than 65535 bytes are not needed.
std::string der(char tag, const std::string& content) {
  const auto byte = [size = content.size()](unsigned int shift) { return static_cast<char>((size >> shift) & 0xFFU); };
  const std::string length = content.size() < 128 ? std::string(1, byte(0)) : std::string("\x82") + byte(8) + byte(0);
  return tag + length + content;
}

std::string sequence(const std::string& content) { return der('\x30', content); }
std::string octets(const std::string& content) { return der('\x04', content); }
std::string explicit_0(const std::string& content) { return der('\xA0', content); }

/// A number less than 2^63, in as few bytes as possible.
std::string integer(std::uint64_t value) {
  std::string bytes;
  for (; value > 0x7F; value >>= 8U) bytes.insert(0, 1, static_cast<char>(value & 0xFFU));
  return der('\x02', static_cast<char>(value) + bytes);
}

TEST(Decryption, RefusesACostThatIsTooLargeForANumber) {
  constexpr std::uint64_t large = std::uint64_t{1} << 62U;
  const std::uint64_t costs[][3] = {{large, 4, 1}, {4, large, 1}, {4, 1, large}, {1, large, 4}, {1, 4, large}};
  for (const auto& [n, r, p] : costs) {
    const std::string derivation =
        sequence(std::string(scrypt_id) + sequence(octets("saltsalt") + integer(n) + integer(r) + integer(p)));
    const std::string pbes2_id("\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x05\x0D", 11);
    const std::string encryption =
        sequence(pbes2_id + sequence(derivation + sequence(std::string(aes_id) + octets(std::string(16, 'i')))));
    const std::string sealed = sequence(encryption + octets(std::string(32, 'x')));
    const auto* at = reinterpret_cast<const unsigned char*>(sealed.data());
    const EncryptedPkcs8Handle costly(d2i_X509_SIG(nullptr, &at, static_cast<long>(sealed.size())));
    ASSERT_NE(costly, nullptr);
    const std::string pem = text_of([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, costly.get()); });
    const std::string message = fault_of(from_key(pem));
    EXPECT_TRUE(contains(message, "asks for more than 5000000 rounds of key derivation")) << message;
  }
}

TEST(Decryption, LeavesOpenSslsErrorQueueAsItWasAfterManyErrors) {
  // Each certificate has a key that OpenSSL cannot read, which adds many errors to the queue.
  const auto strange = make_certificate({test_mchid, test_serial_no, {}, false}, test_key());
  std::string der(static_cast<std::size_t>(i2d_X509(strange.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(strange.get(), &out);
  const std::string rsa("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01", 9);
  der[der.find(rsa) + 8] = '\x63';
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const CertificateHandle unreadable(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  std::string many;
  for (int i = 0; i < 20; ++i) many += certificate_pem(unreadable.get());
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 42);
  const unsigned long before = ERR_peek_error();
  EXPECT_NE(fault_of(Credentials::from_pem(many, private_key_pem(test_key()))), "accepted");
  EXPECT_EQ(ERR_get_error(), before);
  EXPECT_EQ(ERR_get_error(), 0U);
}

/// PKCS#12 without encryption and without a MAC.
class OpenPkcs12 : public ::testing::Test {
 protected:
  template <typename Value, typename Write>
  static std::string der_of(Value* value, const Write& write) {
    std::string bytes(static_cast<std::size_t>(write(value, nullptr)), '\0');
    auto* out = reinterpret_cast<unsigned char*>(bytes.data());
    write(value, &out);
    return bytes;
  }

  static std::string bag(char kind, const std::string& value) {
    return sequence(std::string("\x06\x0B\x2A\x86\x48\x86\xF7\x0D\x01\x0C\x0A\x01", 12) + kind + explicit_0(value));
  }
  static std::string key_bag(EVP_PKEY* key) {
    const Pkcs8Handle plain(EVP_PKEY2PKCS8(key));
    return bag('\1', der_of(plain.get(), i2d_PKCS8_PRIV_KEY_INFO));
  }
  static std::string sealed_key_bag(EVP_PKEY* key) {
    const Pkcs8Handle plain(EVP_PKEY2PKCS8(key));
    const EncryptedPkcs8Handle sealed(
        PKCS8_encrypt(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, nullptr, passphrase, -1, nullptr, 0, 2048, plain.get()));
    return bag('\2', der_of(sealed.get(), i2d_X509_SIG));
  }
  /// 1: an X.509 certificate; 2: an SDSI certificate, which no program writes any more.
  static std::string certificate_bag(char kind = '\1') {
    const std::string id("\x06\x0A\x2A\x86\x48\x86\xF7\x0D\x01\x09\x16", 11);
    const std::string value = kind == '\1' ? octets(der_of(certificate(), i2d_X509)) : der('\x16', "SDSI");
    return bag('\3', sequence(id + kind + explicit_0(value)));
  }

  static std::string content(const std::string& of_content) {
    const std::string data("\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x01", 11);
    return sequence(data + of_content);
  }
  static std::string bags(const std::string& all) { return content(explicit_0(octets(sequence(all)))); }
  static std::string file(const std::string& contents) {
    return sequence(std::string("\x02\x01\x03", 3) + content(explicit_0(octets(sequence(contents)))));
  }

  static void expect_own_key(const std::string& p12, std::string_view given = "") {
    const auto credentials = Credentials::from_p12(p12, given);
    ASSERT_TRUE(credentials) << credentials.error().message;
    EXPECT_EQ(credentials->serial_no(), test_serial_no);
    EXPECT_EQ(credentials->signer().sign("x").value(), from_key(test_key_pem(), "").value().signer().sign("x").value());
  }
};

TEST_F(OpenPkcs12, IsReadWhereverInItKeyAndCertificateAre) {
  expect_own_key(file(bags(key_bag(test_key()) + certificate_bag())));
  expect_own_key(file(bags(key_bag(test_key())) + bags(certificate_bag())));
  const std::string inner = bag('\6', sequence(key_bag(test_key()) + certificate_bag()));
  expect_own_key(file(bags(inner)));
  expect_own_key(file(bags(bag('\6', sequence(inner)))));
}

TEST_F(OpenPkcs12, MayHoldWhatIsNeitherKeyNorCertificate) {
  const std::string secret = bag('\5', sequence(std::string("\x06\x01\x2A", 3) + explicit_0(octets("hunter2"))));
  const std::string of_another_kind = sequence(std::string("\x06\x02\x2A\x03", 4) + explicit_0(octets("hunter2")));
  expect_own_key(
      file(of_another_kind + bags(secret + key_bag(test_key()) + certificate_bag('\2') + certificate_bag())));
}

TEST_F(OpenPkcs12, GivesTheFirstOfSeveralKeys) {
  const PkeyHandle other = read_key(public_key_test_key);
  expect_own_key(file(bags(key_bag(test_key()) + key_bag(other.get()) + certificate_bag())));
  expect_own_key(file(bags(sealed_key_bag(test_key()) + sealed_key_bag(other.get()) + certificate_bag())), passphrase);
  const std::string message =
      fault_of(Credentials::from_p12(file(bags(key_bag(other.get()) + key_bag(test_key()) + certificate_bag())), ""));
  EXPECT_TRUE(contains(message, "does not belong to the certificate in it")) << message;
}

TEST_F(OpenPkcs12, IsRefusedWithoutAKeyOrACertificate) {
  const std::string of_a_key = file(bags(key_bag(test_key())));
  const std::string of_another_kind = file(bags(key_bag(test_key()) + certificate_bag('\2')));
  const std::string of_a_certificate = file(bags(certificate_bag()));
  for (const std::string& p12 : {of_a_key, of_another_kind}) {
    EXPECT_EQ(fault_of(Credentials::from_p12(p12, "")), "the PKCS#12 file lacks the certificate");
  }
  for (const std::string& p12 : {of_a_certificate, file(bags("")), file("")}) {
    EXPECT_EQ(fault_of(Credentials::from_p12(p12, "")), "the PKCS#12 file lacks the private key");
  }
}

TEST_F(OpenPkcs12, IsRefusedWhereAPartOfItIsDamaged) {
  const std::string key = key_bag(test_key());
  const std::string of_bags = key + certificate_bag();
  for (const std::string& p12 : {
           file(bags(of_bags) + content("")),
           file(bags(of_bags) + content(explicit_0(octets("no sequence")))),
           file(bags(key + bag('\3', sequence(std::string("\x06\x0A\x2A\x86\x48\x86\xF7\x0D\x01\x09\x16\x01", 12) +
                                              explicit_0(octets("no certificate")))))),
           file(bags(bag('\6', sequence(sealed_key_bag(test_key()) + of_bags)))),
       }) {
    const std::string message = fault_of(Credentials::from_p12(p12, "wrong"));
    EXPECT_TRUE(contains(message, "damaged")) << message;
  }
}

TEST(Decryption, CountsTheRoundsOfAWholePkcs12File) {
  const std::string p12 = p12_of({0, 0, few, -1});  // first the certificate's, then the key's
  EXPECT_TRUE(Credentials::from_p12(p12, passphrase));
  const std::string message = fault_of(Credentials::from_p12(with_rounds(p12, most, true), passphrase));
  EXPECT_TRUE(contains(message, "asks for more than 5000000 rounds of key derivation")) << message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit

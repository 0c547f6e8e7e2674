#include "src/openssl/key_text.hpp"

#include <gtest/gtest.h>

#include "tests/support/keys.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

std::string utf16(const std::string& text, bool big_endian) {
  std::string wide;
  for (const char c : text) wide += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
  return wide;
}

/// The same PEM with another label.
std::string labelled(const std::string& label) {
  return "-----BEGIN " + label + "-----\nMIIB\n-----END " + label + "-----\n";
}

std::string without_first_and_last_line(const std::string& pem) {
  return pem.substr(pem.find('\n') + 1, pem.rfind("-----END") - pem.find('\n') - 1);
}

/// Passes `text` to each function that reads a key or a certificate.
void expect_all_say(const std::string& text, const std::string& says, const std::string& what) {
  PlatformKeys keys;
  const auto message = [](const auto& result) { return result ? "accepted" : result.error().message; };
  for (const std::string& said :
       {message(Credentials::from_key(test_mchid, test_serial_no, text)),
        message(Credentials::from_pem(text, test_key_pem())),
        message(Credentials::from_pem(test_certificate_pem(), text)),
        message(keys.add_public_key(test_public_key_id, text)), message(keys.add_certificate(text))}) {
    EXPECT_TRUE(contains(said, says)) << what << ": " << said;
    EXPECT_FALSE(contains(said, test_key_pem().substr(100, 20))) << what;
  }
}

TEST(KeyText, NamesAFormThatCannotBeRead) {
  const std::string one_line = replaced(test_key_pem(), "\n", " ");
  const struct {
    const char* what;
    std::string text;
    const char* says;
  } cases[] = {
      {"literal line breaks", replaced(test_key_pem(), "\n", "\\n"),
       "has the two characters \\n in place of each line break"},
      {"literal CRLF", replaced(test_key_pem(), "\n", "\\r\\n"),
       "has the two characters \\n in place of each line break"},
      {"one line with blanks", one_line, "is PEM in one line"},
      {"one line without blanks", replaced(test_key_pem(), "\n", ""), "is PEM in one line"},
      {"one line that ends", one_line + "\n", "is PEM in one line"},
      {"old Macs", replaced(test_key_pem(), "\n", "\r"), "has only CR as its line breaks"},
      {"indented", "  " + replaced(test_key_pem(), "\n", "\n  "), "has indented lines"},
      {"indented by a tab", "key:\n\t" + replaced(test_key_pem(), "\n", "\n\t"), "has indented lines"},
      {"quoted", "\"" + test_key_pem() + "\"", "has a quotation mark or other text before its first line"},
      {"assigned", "KEY='" + test_key_pem() + "'", "has a quotation mark or other text before its first line"},
      {"quoted in a mail", "> " + replaced(test_key_pem(), "\n", "\n> "), "other text before its first line"},
      {"cut in its first line", "-----BEGIN PRIVATE KEY", "has a first line that is not complete"},
      {"four hyphens", replaced(test_key_pem(), "-----", "----"), "has a first line without its five hyphens"},
      {"dashes of a word processor", replaced(test_key_pem(), "-----", "—–"),
       "has a first line without its five hyphens"},
      {"Base64 alone", without_first_and_last_line(test_key_pem()), "is Base64 without PEM's first and last line"},
      {"Base64 in one line", replaced(without_first_and_last_line(test_key_pem()), "\n", ""),
       "is Base64 without PEM's"},
      {"Base64 of PEM",
       "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQQ==", "is Base64 of a PEM file"},
      {"hex", "308204BD020100300D06092A864886F70D0101", "is hex, not PEM"},
      {"UTF-16, little-endian, with a mark", "\xFF\xFE" + utf16(test_key_pem(), false), "is UTF-16 text"},
      {"UTF-16, big-endian, with a mark", "\xFE\xFF" + utf16(test_key_pem(), true), "is UTF-16 text"},
      {"UTF-16, little-endian", utf16(test_key_pem(), false), "is UTF-16 text"},
      {"UTF-16, big-endian", utf16(test_key_pem(), true), "is UTF-16 text"},
      {"a .zip", std::string("PK\x03\x04\x14\0\0\0", 8), "is a .zip archive, as WeChat Pay delivers certificates"},
      {"gzip", "\x1F\x8B\x08", "is compressed (gzip)"},
      {"JSON with PEM in it", "{\"key\": \"" + replaced(test_key_pem(), "\n", "\\n") + "\"}", "is JSON, not PEM"},
      {"a JWK", R"({"kty": "RSA", "n": "AQAB", "d": "secret"})", "is a key in JSON (JWK)"},
      {"a page", "<!doctype html>\n<html><title>login</title>", "is an HTML page"},
      {"XML", "<?xml version=\"1.0\"?><RSAKeyValue/>", "is XML or HTML"},
      {"a file's name", "/etc/wechatpay/apiclient_key.pem", "is a file's name, not the file's contents"},
      {"a file: URL", "file:///etc/wechatpay/apiclient_key.pem", "is a file: URL"},
      {"blanks", " \n\t", "holds nothing but blanks"},
      {"nothing", "", "is empty"},
      {"anything", "hello", "is not PEM"},
      {"an OpenSSH private key", labelled("OPENSSH PRIVATE KEY"), "holds an OpenSSH private key"},
      {"an OpenSSH public key", "ssh-rsa AAAAB3NzaC1yc2E me@host", "holds an SSH public key"},
      {"an SSH2 public key", "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "holds an SSH public key"},
      {"PuTTY", "PuTTY-User-Key-File-3: ssh-rsa\n", "holds a PuTTY private key"},
      {"elliptic", labelled("EC PRIVATE KEY"), "holds an elliptic-curve private key"},
      {"parameters and an elliptic key", labelled("EC PARAMETERS") + labelled("EC PRIVATE KEY"), "elliptic-curve"},
      {"DSA", labelled("DSA PRIVATE KEY"), "holds a DSA private key"},
      {"a request", labelled("CERTIFICATE REQUEST"), "holds a certificate request (CSR)"},
      {"an old request", labelled("NEW CERTIFICATE REQUEST"), "holds a certificate request (CSR)"},
      {"PKCS#7", labelled("PKCS7"), "holds certificates as PKCS#7"},
      {"a trusted certificate", labelled("TRUSTED CERTIFICATE"), "OpenSSL's own form (TRUSTED CERTIFICATE)"},
      {"a list of revoked certificates", labelled("X509 CRL"), "(CRL)"},
      {"PGP", labelled("PGP PRIVATE KEY BLOCK"), "holds PGP data"},
      {"PEM of another kind", labelled("MESSAGE"), "is PEM of a kind that is not known"},
      {"the first line alone", "-----BEGIN PRIVATE KEY-----", "is PEM in one line; its line breaks are lost"},
      {"a certificate with four hyphens", replaced(test_certificate_pem(), "-----", "----"),
       "has a first line without its five hyphens"},
      {"a text about a beginning", "BEGIN of a letter", "is not PEM"},
      {"a list in JSON", "[\"" + replaced(test_key_pem(), "\n", "\\n") + "\"]", "is JSON, not PEM"},
      {"a page that begins with XML", "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>", "is an HTML page"},
      {"a page that begins with a text", "Sign in\n<html lang=\"zh\">", "is an HTML page"},
      {"an elliptic SSH public key", "ecdsa-sha2-nistp256 AAAAE2Vj me@host", "holds an SSH public key"},
      {"DER without a length", "0\x80", "is binary (DER or PKCS#12), not PEM"},
      {"DER with a length of one byte", "0\x81", "is binary (DER or PKCS#12), not PEM"},
      {"DER with a length of two bytes", "0\x82", "is binary (DER or PKCS#12), not PEM"},
      {"DER with a length of three bytes", "0\x83", "is binary (DER or PKCS#12), not PEM"},
  };
  for (const auto& each : cases) expect_all_say(each.text, each.says, each.what);
}

/// What looks like a form that has a name of its own, but is not in that form.
TEST(KeyText, NamesNoFormThatItIsNotIn) {
  const std::string base64 = "MI" + std::string(62, 'A');
  expect_all_say(base64, "is Base64 without PEM's first and last line", "the shortest Base64 of a key");
  const std::string name = "/" + std::string(4091, 'a') + ".pem";
  expect_all_say(name, "is a file's name", "the longest name");
  for (const std::string end : {".pem", ".P12", ".key", ".crt", ".CER", ".pfx"}) {
    expect_all_say("a" + end, "is a file's name", "a" + end);
  }
  for (const std::string& text : {base64.substr(1), base64.substr(0, 63), base64 + "!", std::string("LS0tLS1CRUdJTi!"),
                                  std::string("3082 and more"), "a" + name, std::string(".pem"), std::string("a.pem2"),
                                  std::string("one line\nanother.pem"), std::string("ab")}) {
    expect_all_say(text, "is not PEM; ", text.substr(0, 20));
  }
}

TEST(KeyText, NamesWhatIsInPlaceOfAnother) {
  PlatformKeys keys;
  EXPECT_TRUE(contains(Credentials::from_key(test_mchid, test_serial_no, public_key_pem(test_key())).error().message,
                       "a public key;"));
  EXPECT_TRUE(
      contains(keys.add_public_key(test_public_key_id, test_key_pem()).error().message, "holds a private key;"));
  EXPECT_TRUE(contains(keys.add_certificate(test_key_pem()).error().message, "holds a private key;"));
  EXPECT_TRUE(
      contains(keys.add_public_key(test_public_key_id, test_certificate_pem()).error().message, "a certificate;"));
}

TEST(KeyText, IsReadWhereItsFormIsUnusualButWhole) {
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string& text :
       {mark + test_key_pem(), replaced(test_key_pem(), "\n", "\r\n"), replaced(test_key_pem(), "\n", " \n"),
        "Bag Attributes\n    friendlyName: x\n" + test_key_pem(), test_certificate_pem() + test_key_pem(),
        "note: -----BEGIN below\n" + test_key_pem()}) {
    const auto credentials = Credentials::from_pem(test_certificate_pem(), text);
    EXPECT_TRUE(credentials) << credentials.error().message << "\n" << text.substr(0, 40);
  }
  EXPECT_TRUE(Credentials::from_pem(mark + test_certificate_pem(), test_key_pem()));
  EXPECT_TRUE(
      Credentials::from_pem(replaced(test_certificate_pem(), " CERTIFICATE", " X509 CERTIFICATE"), test_key_pem()));
  EXPECT_TRUE(PlatformKeys().add_public_key(test_public_key_id, mark + public_key_pem(test_key())));
}

TEST(PlatformKeys, ReadAPublicKeyOfPkcs1) {
  unsigned char* der = nullptr;
  const int size = i2d_PublicKey(test_key(), &der);
  ASSERT_GT(size, 0);
  const OpensslMemory<unsigned char> own(der);
  std::string base64(static_cast<std::size_t>(size) * 2, '\0');
  base64.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), der, size)));
  const std::string pem = "-----BEGIN RSA PUBLIC KEY-----\n" + base64 + "\n-----END RSA PUBLIC KEY-----\n";
  PlatformKeys keys;
  const auto added = keys.add_public_key(test_public_key_id, pem);
  ASSERT_TRUE(added) << added.error().message;
  const auto signature =
      Credentials::from_key(test_mchid, test_serial_no, test_key_pem()).value().signer().sign("message").value();
  EXPECT_EQ(keys.verify(test_public_key_id, "message", signature), PlatformKeys::Verdict::valid);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

#include "src/testing/pki.hpp"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdexcept>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using MessageDigestHandle = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL could not make ") + what + ": " + openssl_reason());
}

template <typename Write>
std::string pem_of(const Write& write) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  require(bio != nullptr, "a PEM text");
  require(write(bio.get()) == 1, "a PEM text");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

void add_extension(X509* certificate, const X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freeing<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  require(extension != nullptr, "a certificate extension");
  require(X509_add_ext(certificate, extension.get(), -1) == 1, "a certificate extension");
}

}  // namespace

PkeyHandle make_rsa_key(unsigned int bits) {
  PkeyHandle key(EVP_RSA_gen(bits));
  require(key != nullptr, "an RSA key");
  return key;
}

PkeyHandle make_elliptic_key() {
  PkeyHandle key(EVP_EC_gen("P-256"));
  require(key != nullptr, "an elliptic key");
  return key;
}

PkeyHandle read_key(std::string_view private_key_pem) {
  const BioHandle bio(BIO_new_mem_buf(private_key_pem.data(), static_cast<int>(private_key_pem.size())));
  PkeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  require(key != nullptr, "a key of PEM");
  return key;
}

CertificateHandle make_certificate(const CertificateOptions& options, EVP_PKEY* key, const X509* issuer,
                                   EVP_PKEY* issuer_key) {
  CertificateHandle certificate(X509_new());
  require(certificate != nullptr, "a certificate");
  X509* const x509 = certificate.get();

  BIGNUM* number = nullptr;
  if (options.serial_no.empty()) {
    number = BN_new();
    require(number != nullptr, "a serial number");
    require(BN_rand(number, 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1, "a serial number");
  } else {
    require(BN_hex2bn(&number, options.serial_no.c_str()) > 0, "a serial number");
  }
  const std::unique_ptr<BIGNUM, Freeing<BN_free>> owned_number(number);
  require(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != nullptr, "a serial number");

  X509_NAME* const subject = X509_get_subject_name(x509);
  const auto* const common_name = reinterpret_cast<const unsigned char*>(options.common_name.c_str());
  require(X509_set_version(x509, X509_VERSION_3) == 1, "a certificate's version");
  require(X509_set_pubkey(x509, key) == 1, "a certificate's key");
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common_name, -1, -1, 0) == 1,
          "a certificate's subject");
  require(X509_set_issuer_name(x509, issuer == nullptr ? subject : X509_get_subject_name(issuer)) == 1,
          "a certificate's issuer");
  const auto set_time = [](ASN1_TIME* time, std::chrono::system_clock::time_point point) {
    require(ASN1_TIME_set(time, std::chrono::system_clock::to_time_t(point)) != nullptr, "a certificate's dates");
  };
  set_time(X509_getm_notBefore(x509), options.not_before);
  set_time(X509_getm_notAfter(x509), options.not_after);

  const X509* const signer = issuer == nullptr ? x509 : issuer;
  add_extension(x509, signer, NID_basic_constraints, options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(x509, signer, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) add_extension(x509, signer, NID_authority_key_identifier, "keyid");
  if (options.authority) add_extension(x509, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  std::string names;
  for (const std::string& name : options.names) {
    const bool address =
        name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos;
    if (!names.empty()) names += ',';
    names.append(address ? "IP:" : "DNS:").append(name);
  }
  if (!names.empty()) add_extension(x509, signer, NID_subject_alt_name, names);

  require(X509_sign(x509, issuer_key == nullptr ? key : issuer_key, EVP_sha256()) > 0, "a certificate's signature");
  return certificate;
}

std::string serial_no_of(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Freeing<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  require(number != nullptr, "a serial number in hex");
  const OpensslMemory<char> text(BN_bn2hex(number.get()));
  require(text != nullptr, "a serial number in hex");
  return text.get();
}

std::string private_key_pem(EVP_PKEY* key, KeyFormat format, std::string_view passphrase) {
  const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  const auto* const bytes = reinterpret_cast<const unsigned char*>(passphrase.data());
  const int size = static_cast<int>(passphrase.size());
  return pem_of([&](BIO* bio) {
    return format == KeyFormat::pkcs8
               ? PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase.data(), size, nullptr, nullptr)
               : PEM_write_bio_PrivateKey_traditional(bio, key, cipher, bytes, size, nullptr, nullptr);
  });
}

std::string public_key_pem(EVP_PKEY* key) {
  return pem_of([key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
}

std::string certificate_pem(X509* certificate) {
  return pem_of([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string sign_with(EVP_PKEY* key, std::string_view message) {
  const MessageDigestHandle context(EVP_MD_CTX_new());
  std::string raw(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = raw.size();
  require(context != nullptr, "a signature");
  require(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1, "a signature");
  require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(raw.data()), &size, bytes_of(message),
                         message.size()) == 1,
          "a signature");
  return base64_of(std::string_view(raw).substr(0, size));
}

std::string base64_of(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

bool is_signed_with(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  const std::size_t padding = (3 - size % 3) % 3;
  std::string raw(size + padding, '\0');
  const std::string end(padding, '=');
  if (signature.size() != raw.size() / 3 * 4 || signature.compare(signature.size() - padding, padding, end) != 0) {
    return false;
  }
  const MessageDigestHandle context(EVP_MD_CTX_new());
  return EVP_DecodeBlock(reinterpret_cast<unsigned char*>(raw.data()), bytes_of(signature),
                         static_cast<int>(signature.size())) == static_cast<int>(raw.size()) &&
         context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(raw), size, bytes_of(message), message.size()) == 1;
}

std::string pkcs12(EVP_PKEY* key, X509* certificate, const std::string& passphrase, bool legacy) {
  const LibraryContextHandle library(OSSL_LIB_CTX_new());
  const ProviderHandle standard(OSSL_PROVIDER_load(library.get(), "default"));
  const ProviderHandle old(legacy ? OSSL_PROVIDER_load(library.get(), "legacy") : nullptr);
  const int key_cipher = legacy ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : 0;
  const int certificate_cipher = legacy ? NID_pbe_WithSHA1And40BitRC2_CBC : 0;
  const Pkcs12Handle p12(PKCS12_create_ex(passphrase.c_str(), "apiclient", key, certificate, nullptr, key_cipher,
                                          certificate_cipher, 0, 0, 0, library.get(), nullptr));
  require(p12 != nullptr, "a PKCS#12 file");
  return pem_of([&](BIO* bio) { return i2d_PKCS12_bio(bio, p12.get()); });
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

/// Keys and certificates for the fake platform, the sandbox and the tests. Every function throws std::runtime_error if
/// OpenSSL fails.
#ifndef WECHATPAY_SRC_TESTING_PKI_HPP
#define WECHATPAY_SRC_TESTING_PKI_HPP

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Makes an RSA key. Takes a tenth of a second.
PkeyHandle make_rsa_key(unsigned int bits = 2048);

/// Makes an elliptic-curve key (P-256) for TLS. Takes almost no time.
PkeyHandle make_elliptic_key();

PkeyHandle read_key(std::string_view private_key_pem);

struct CertificateOptions {
  std::string common_name;
  std::string serial_no;           ///< hex; empty: 20 random bytes
  std::vector<std::string> names;  ///< DNS names and IP addresses for a TLS server
  bool authority = false;          ///< may sign certificates
  std::chrono::system_clock::time_point not_before = std::chrono::system_clock::now() - std::chrono::hours(24);
  std::chrono::system_clock::time_point not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 365);
};

/// Makes a certificate, signed by `issuer_key` in the name of `issuer`; self-signed if there is no issuer.
CertificateHandle make_certificate(const CertificateOptions& options, EVP_PKEY* key, const X509* issuer = nullptr,
                                   EVP_PKEY* issuer_key = nullptr);

/// The serial number in upper-case hex, two digits per byte.
std::string serial_no_of(const X509* certificate);

enum class KeyFormat { pkcs8, pkcs1 };

std::string private_key_pem(EVP_PKEY* key, KeyFormat format = KeyFormat::pkcs8, std::string_view passphrase = {});
std::string public_key_pem(EVP_PKEY* key);
std::string certificate_pem(X509* certificate);

std::string base64_of(std::string_view bytes);

/// The signature with SHA-256 (RSASSA-PKCS1-v1_5) in Base64.
std::string sign_with(EVP_PKEY* key, std::string_view message);

/// Whether `signature` is valid: made by sign_with() with this key.
bool is_signed_with(EVP_PKEY* key, std::string_view message, std::string_view signature);

/// PKCS#12 with current algorithms, or with RC2 and 3DES as in WeChat Pay's files.
std::string pkcs12(EVP_PKEY* key, X509* certificate, const std::string& passphrase, bool legacy = false);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

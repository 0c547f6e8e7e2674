/// Keys and certificates for the fake platform, the sandbox and the tests. Every function throws std::runtime_error
/// where OpenSSL fails.
#ifndef WECHATPAY_SRC_TESTING_PKI_HPP
#define WECHATPAY_SRC_TESTING_PKI_HPP

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"

namespace wechatpay {

PkeyHandle make_rsa_key(unsigned int bits = 2048);

struct CertificateOptions {
  std::string common_name;
  std::string serial_no;           ///< hex; empty: 20 random bytes
  std::vector<std::string> names;  ///< DNS names and IP addresses for a TLS server
  bool authority = false;          ///< may sign certificates
  std::chrono::system_clock::time_point not_before = std::chrono::system_clock::now() - std::chrono::hours(24);
  std::chrono::system_clock::time_point not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 365);
};

/// Signed by `issuer_key` in the name of `issuer`; by itself where there is no issuer.
CertificateHandle make_certificate(const CertificateOptions& options, EVP_PKEY* key, const X509* issuer = nullptr,
                                   EVP_PKEY* issuer_key = nullptr);

enum class KeyFormat { pkcs8, pkcs1 };

std::string private_key_pem(EVP_PKEY* key, KeyFormat format = KeyFormat::pkcs8, std::string_view passphrase = {});
std::string public_key_pem(EVP_PKEY* key);
std::string certificate_pem(X509* certificate);

/// PKCS#12 with today's algorithms, or with RC2 and 3DES as WeChat Pay's files have.
std::string pkcs12(EVP_PKEY* key, X509* certificate, const std::string& passphrase, bool legacy = false);

}  // namespace wechatpay

#endif

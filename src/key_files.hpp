/// Key files as merchants have them, into OpenSSL's objects; what is wrong with one is said with its name.
#ifndef WECHATPAY_SRC_KEY_FILES_HPP
#define WECHATPAY_SRC_KEY_FILES_HPP

#include <chrono>
#include <string>
#include <string_view>

#include "src/openssl.hpp"
#include "wechatpay/bonus_commit/result.hpp"

namespace wechatpay {

/// A file's bytes, wiped from memory when they are no longer needed.
class KeyFile {
 public:
  static Result<KeyFile> read(const std::string& path);

  KeyFile(KeyFile&&) noexcept = default;
  KeyFile& operator=(KeyFile&&) = delete;
  ~KeyFile() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::string_view bytes() const noexcept { return bytes_; }

 private:
  KeyFile() = default;

  std::string bytes_;
};

/// In each of these, `name` is how a message calls the input: the file's name, or what it should be.

/// An RSA private key of 2048 bits or more in PEM: PKCS#8 or PKCS#1, encrypted or not.
Result<PkeyHandle> read_private_key(std::string_view pem, std::string_view passphrase, const std::string& name);

/// An RSA public key of 2048 bits or more in PEM (SPKI).
Result<PkeyHandle> read_public_key(std::string_view pem, const std::string& name);

/// The first certificate of a PEM text.
Result<CertificateHandle> read_certificate(std::string_view pem, const std::string& name);

struct KeyAndCertificate {
  PkeyHandle key;
  CertificateHandle certificate;
};

/// The private key and its certificate in a PKCS#12 file.
Result<KeyAndCertificate> read_p12(std::string_view bytes, std::string_view passphrase, const std::string& name);

/// Whether the key can be used: RSA of 2048 bits or more. Empty if so, else the fault.
std::string rsa_fault(const EVP_PKEY* key);

/// The serial number in upper-case hex, two digits a byte.
std::string serial_of(const X509* certificate);

/// The subject's common name; empty where there is none.
std::string common_name_of(const X509* certificate);

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time);

/// What should be seen to about a certificate that is valid from `not_before` to `not_after`; see
/// Credentials::warnings(). `cure` says how to get another one.
std::vector<std::string> validity_warnings(const std::string& certificate,
                                           std::chrono::system_clock::time_point not_before,
                                           std::chrono::system_clock::time_point not_after,
                                           std::chrono::system_clock::time_point now, const std::string& cure);

}  // namespace wechatpay

#endif

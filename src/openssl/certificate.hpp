/// Reads X.509 certificates and their fields.
#ifndef WECHATPAY_SRC_OPENSSL_CERTIFICATE_HPP
#define WECHATPAY_SRC_OPENSSL_CERTIFICATE_HPP

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// All certificates of a PEM text, in its order; at least one. `name` is the text's name in messages.
Result<std::vector<CertificateHandle>> read_certificates(std::string_view pem, const std::string& name);

/// The certificate that belongs to `key`; the first one if none does. The list must not be empty.
CertificateHandle certificate_of_key(std::vector<CertificateHandle> certificates, const EVP_PKEY* key);

/// The serial number in upper-case hex, two digits per byte; empty if OpenSSL fails.
std::string serial_of(const X509* certificate);

/// The common name of a subject or an issuer; empty if there is none.
std::string common_name_of(const X509_NAME* name);

/// When a certificate becomes valid, and when it expires.
struct Validity {
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
};

/// Empty if the dates cannot be read. A date beyond the clock's range is replaced by the limit of the range.
std::optional<Validity> validity_of(const X509* certificate);

/// A warning about the dates of `certificate`; `cure` says how to get another one. See Credentials::warnings().
std::vector<std::string> validity_warnings(const std::string& certificate, const Validity& validity,
                                           std::chrono::system_clock::time_point now, const std::string& cure);

WECHATPAY_BONUS_COMMIT_END

#endif

/// X.509 certificates: read, and asked what they say.
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

/// All certificates of a PEM text, in its order; one at least. `name` is how a message calls the text.
Result<std::vector<CertificateHandle>> read_certificates(std::string_view pem, const std::string& name);

/// The one that belongs to `key`, else the first. Must not be given an empty list.
CertificateHandle certificate_of_key(std::vector<CertificateHandle> certificates, const EVP_PKEY* key);

/// The serial number in upper-case hex, two digits a byte; empty if OpenSSL fails.
std::string serial_of(const X509* certificate);

/// The common name of a subject or an issuer; empty where there is none.
std::string common_name_of(const X509_NAME* name);

/// When a certificate begins and ends to be valid.
struct Validity {
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
};

/// Nothing where the dates cannot be read. A date beyond what the clock can hold becomes one that it can.
std::optional<Validity> validity_of(const X509* certificate);

/// What should be seen to about the dates of `certificate`, as a message calls it; see Credentials::warnings(). `cure`
/// says how to get another one.
std::vector<std::string> validity_warnings(const std::string& certificate, const Validity& validity,
                                           std::chrono::system_clock::time_point now, const std::string& cure);

WECHATPAY_BONUS_COMMIT_END

#endif

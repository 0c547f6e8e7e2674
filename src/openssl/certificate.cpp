#include "src/openssl/certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/bn.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "src/openssl/pem.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

using Clock = std::chrono::system_clock;

std::optional<Clock::time_point> time_of(const ASN1_TIME* time) {
  const std::unique_ptr<ASN1_TIME, Freeing<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (epoch == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return std::nullopt;
  days = std::clamp(days, -100000, 100000);  // a clock of nanoseconds ends in the year 2262
  return Clock::time_point(std::chrono::hours(24) * days + std::chrono::seconds(seconds));
}

}  // namespace

Result<std::vector<CertificateHandle>> read_certificates(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  auto blocks =
      pem_blocks(pem, {"CERTIFICATE", "X509 CERTIFICATE"}, PemSearch::all, name, "a certificate belongs here");
  if (!blocks) return std::move(blocks).error();
  std::vector<CertificateHandle> certificates;
  for (const PemBlock& block : *blocks) {
    const ErrorQueueGuard guard_of_one;
    const unsigned char* at = block.data.get();
    CertificateHandle certificate(d2i_X509(nullptr, &at, block.size));
    certificates.push_back(std::move(certificate));
    if (certificates.back() == nullptr) {
      return configuration_error(name + " holds a certificate that cannot be read (" + openssl_reason() +
                                 "): the file is damaged or incomplete");
    }
  }
  return certificates;
}

CertificateHandle certificate_of_key(std::vector<CertificateHandle> certificates, const EVP_PKEY* key) {
  const auto belongs = [key](const CertificateHandle& certificate) {
    const ErrorQueueGuard guard;
    const EVP_PKEY* const own = X509_get0_pubkey(certificate.get());
    return own != nullptr && EVP_PKEY_eq(own, key) == 1;
  };
  const auto found = std::find_if(certificates.begin(), certificates.end(), belongs);
  return std::move(found == certificates.end() ? certificates.front() : *found);
}

std::string serial_of(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Freeing<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return {};
  const OpensslMemory<char> hex(BN_bn2hex(number.get()));
  if (hex == nullptr) return {};
  const std::string digits(hex.get());
  return digits == "0" ? "00" : digits;
}

std::string common_name_of(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) return {};
  const OpensslMemory<unsigned char> text(utf8);
  return std::string(reinterpret_cast<const char*>(text.get()), static_cast<std::size_t>(size));
}

std::optional<Validity> validity_of(const X509* certificate) {
  const auto not_before = time_of(X509_get0_notBefore(certificate));
  const auto not_after = time_of(X509_get0_notAfter(certificate));
  if (!not_before || !not_after) return std::nullopt;
  return Validity{*not_before, *not_after};
}

std::vector<std::string> validity_warnings(const std::string& certificate, const Validity& validity,
                                           Clock::time_point now, const std::string& cure) {
  // Compared in seconds, since the difference of two times may not fit into the clock's own unit.
  const auto seconds = [](Clock::time_point time) {
    return std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
  };
  const auto days_between = [&](Clock::time_point earlier, Clock::time_point later) {
    return (seconds(later) - seconds(earlier)) / (24L * 60 * 60);
  };
  const auto in_words = [&](Clock::time_point earlier, Clock::time_point later) {
    const auto days = days_between(earlier, later);
    return std::to_string(days) + (days == 1 ? " day" : " days");
  };
  if (now > validity.not_after) {
    return {certificate + " expired " + in_words(validity.not_after, now) + " ago: " + cure};
  }
  if (now < validity.not_before) {
    return {certificate + " is not valid yet, for " + in_words(now, validity.not_before) +
            ": check this machine's clock"};
  }
  if (days_between(now, validity.not_after) < 30) {
    return {certificate + " expires in " + in_words(now, validity.not_after) + ": " + cure};
  }
  return {};
}

WECHATPAY_BONUS_COMMIT_END

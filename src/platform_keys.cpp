#include "wechatpay/bonus_commit/platform_keys.hpp"

#include <algorithm>
#include <utility>

#include "src/key_files.hpp"
#include "src/rsa.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

constexpr std::string_view public_key_id_prefix = "PUB_KEY_ID_";

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

bool only(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

constexpr std::string_view hex_digits = "0123456789ABCDEFabcdef";

/// The form under which a serial is kept: a certificate's in upper case, a public key's id as it is.
std::string key_of(std::string_view serial) {
  return only(serial, hex_digits) ? upper_case(serial) : std::string(serial);
}

Result<PkeyHandle> public_key_of(std::string_view id, std::string_view pem, const std::string& name) {
  if (!starts_with(id, public_key_id_prefix) || !only(id.substr(public_key_id_prefix.size()), "0123456789")) {
    const bool serial = only(id, hex_digits);
    return configuration_error("the id of " + name +
                               " must be PUB_KEY_ID_ and digits, as the merchant platform shows "
                               "it, not \"" +
                               printable(id, 80) + "\"" + (serial ? ", which is a certificate's serial number" : ""));
  }
  return read_public_key(pem, name);
}

struct PlatformCertificate {
  std::string serial;
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  PkeyHandle key;
};

Result<PlatformCertificate> platform_certificate(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  auto certificate = read_certificate(pem, name);
  if (!certificate) return std::move(certificate).error();
  const X509* const x509 = certificate->get();
  // A merchant's certificate names the merchant id, a platform certificate names Tenpay.
  if (const std::string name_in_it = common_name_of(x509); only(name_in_it, "0123456789")) {
    return configuration_error(name + " is the certificate of merchant " + name_in_it +
                               " (apiclient_cert.pem), not WeChat Pay's: the platform certificate is "
                               "wechatpay_<serial>.pem, or use pub_key.pem");
  }
  PlatformCertificate read{serial_of(x509), time_of(X509_get0_notBefore(x509)), time_of(X509_get0_notAfter(x509)),
                           PkeyHandle(X509_get_pubkey(certificate->get()))};
  if (read.serial.empty() || read.key == nullptr) {
    return configuration_error(name + " holds a certificate that cannot be used: " + openssl_reason());
  }
  if (const std::string fault = rsa_fault(read.key.get()); !fault.empty()) {
    return configuration_error("the key of " + name + " " + fault);
  }
  return read;
}

}  // namespace

Result<std::string> PlatformKeys::add(std::string serial, Entry entry) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entry.added = ++additions_;
  entries_.insert_or_assign(serial, std::move(entry));
  return serial;
}

Result<std::string> PlatformKeys::add_public_key_file(std::string id, const std::string& file) {
  auto content = KeyFile::read(file);
  if (!content) return std::move(content).error();
  auto key = public_key_of(id, content->bytes(), file);
  if (!key) return std::move(key).error();
  return add(std::move(id), {make_rsa_platform_key(*std::move(key)), true, {}, {}, 0});
}

Result<std::string> PlatformKeys::add_public_key(std::string id, std::string_view pem) {
  auto key = public_key_of(id, pem, "the public key");
  if (!key) return std::move(key).error();
  return add(std::move(id), {make_rsa_platform_key(*std::move(key)), true, {}, {}, 0});
}

Result<std::string> PlatformKeys::add_certificate_file(const std::string& file) {
  auto content = KeyFile::read(file);
  if (!content) return std::move(content).error();
  auto certificate = platform_certificate(content->bytes(), file);
  if (!certificate) return std::move(certificate).error();
  return add(certificate->serial, {make_rsa_platform_key(std::move(certificate->key)), false, certificate->not_before,
                                   certificate->not_after, 0});
}

Result<std::string> PlatformKeys::add_certificate(std::string_view pem) {
  auto certificate = platform_certificate(pem, "the platform certificate");
  if (!certificate) return std::move(certificate).error();
  return add(certificate->serial, {make_rsa_platform_key(std::move(certificate->key)), false, certificate->not_before,
                                   certificate->not_after, 0});
}

bool PlatformKeys::remove(std::string_view serial) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string key = key_of(serial);
  if (chosen_ == key) chosen_.clear();
  return entries_.erase(key) == 1;
}

bool PlatformKeys::announce(std::string_view serial) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string key = key_of(serial);
  if (entries_.count(key) == 0) return false;
  chosen_ = key;
  return true;
}

std::string PlatformKeys::announced() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!chosen_.empty() || entries_.empty()) return chosen_;
  const auto later = [](const auto& a, const auto& b) {
    const Entry& x = a.second;
    const Entry& y = b.second;
    if (x.public_key != y.public_key) return y.public_key;
    return x.public_key ? x.added < y.added : x.not_after < y.not_after;
  };
  return std::max_element(entries_.begin(), entries_.end(), later)->first;
}

std::shared_ptr<const PlatformKey> PlatformKeys::find(std::string_view serial) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(key_of(serial));
  return found == entries_.end() ? nullptr : found->second.key;
}

std::vector<std::string> PlatformKeys::serials() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> serials;
  for (const auto& [serial, entry] : entries_) serials.push_back(serial);
  return serials;
}

std::vector<std::string> PlatformKeys::warnings(std::chrono::system_clock::time_point now) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> warnings;
  for (const auto& [serial, entry] : entries_) {
    if (entry.public_key) continue;
    for (std::string& warning :
         validity_warnings("the platform certificate " + serial, entry.not_before, entry.not_after, now,
                           "get the new one, or WeChat Pay's public key, on the merchant platform")) {
      warnings.push_back(std::move(warning));
    }
  }
  return warnings;
}

}  // namespace wechatpay

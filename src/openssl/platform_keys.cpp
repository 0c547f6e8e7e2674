#include "wechatpay/bonus_commit/platform_keys.hpp"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "src/openssl/certificate.hpp"
#include "src/openssl/key_file.hpp"
#include "src/openssl/pem.hpp"
#include "src/openssl/rsa.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

constexpr std::string_view public_key_id_prefix = "PUB_KEY_ID_";
constexpr std::string_view platform_name = "Tenpay.com sign";  ///< the CN of WeChat Pay's platform certificates

/// The form in which a serial is stored: a certificate's in upper case, a public key's id unchanged.
std::string key_of(std::string_view serial) {
  return consists_of(serial, hex_digits) ? upper_case(serial) : std::string(serial);
}

Result<PkeyHandle> public_key_of(std::string_view id, std::string_view pem, const std::string& name) {
  if (!starts_with(id, public_key_id_prefix) || !consists_of(id.substr(public_key_id_prefix.size()), decimal_digits)) {
    // Not quoted, since it may be a secret.
    const bool serial = consists_of(id, hex_digits);
    return configuration_error("the id of " + name +
                               " must be PUB_KEY_ID_ and digits, as the merchant platform shows it" +
                               (id.empty() ? "; it is empty"
                                : serial   ? "; it is a certificate's serial number"
                                           : ""));
  }
  return read_public_key(pem, name);
}

struct PlatformCertificate {
  std::string serial;
  Validity validity;
  PkeyHandle key;
  std::string warning;
};

/// Why the certificate is certainly not WeChat Pay's; empty if there is no such reason. A verb and its object.
std::string other_owner(X509* certificate) {
  const std::string name = common_name_of(X509_get_subject_name(certificate));
  const std::string ours = ": the platform certificate is wechatpay_<serial>.pem, or use pub_key.pem";
  if (consists_of(name, decimal_digits)) {
    return "is the certificate of merchant " + printable(name, 64) + " (apiclient_cert.pem), not WeChat Pay's" + ours;
  }
  if (X509_check_ca(certificate) != 0) {
    return "is the certificate of an authority (CA), \"" + printable(name, 64) + "\", which signs no answers" + ours;
  }
  return {};
}

Result<PlatformCertificate> platform_certificate(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  if (std::string fault = provider_fault(); !fault.empty()) return configuration_error(std::move(fault));
  auto certificates = read_certificates(pem, name);
  if (!certificates) return std::move(certificates).error();
  if (certificates->size() > 1) {
    std::string serials;
    for (std::size_t i = 0; i < certificates->size() && i < 5; ++i) {
      serials += (i == 0 ? "" : ", ") + serial_of((*certificates)[i].get());
    }
    return configuration_error(name + " holds " + std::to_string(certificates->size()) +
                               " certificates (serial numbers " + serials +
                               (certificates->size() > 5 ? ", \xE2\x80\xA6" : "") +
                               "); give each platform certificate by itself, without a chain");
  }
  X509* const x509 = certificates->front().get();
  if (const std::string fault = other_owner(x509); !fault.empty()) return configuration_error(name + " " + fault);
  const auto validity = validity_of(x509);
  PlatformCertificate read{serial_of(x509), validity.value_or(Validity{}), PkeyHandle(X509_get_pubkey(x509)), ""};
  if (!consists_of(read.serial, hex_digits) || read.key == nullptr || !validity) {
    return configuration_error(name + " holds a certificate whose key, dates or serial number cannot be used (" +
                               openssl_reason() + ")");
  }
  if (const std::string fault = rsa_fault(read.key.get()); !fault.empty()) {
    return configuration_error("the key of " + name + " " + fault);
  }
  if (const std::string owner = common_name_of(X509_get_subject_name(x509)); owner != platform_name) {
    read.warning = "the platform certificate " + read.serial + " names \"" + printable(owner, 64) + "\", issued by \"" +
                   printable(common_name_of(X509_get_issuer_name(x509)), 64) + "\"; WeChat Pay's name \"" +
                   std::string(platform_name) +
                   "\": if it is another's, such as a TLS host's, no answer can be verified with it";
  }
  return read;
}

}  // namespace

struct PlatformKeys::Store {
  struct Entry {
    std::shared_ptr<const Verifier> key;
    bool public_key = false;
    Validity validity;                  ///< of a certificate
    std::size_t added = 0;              ///< a sequence number
    std::vector<std::string> warnings;  ///< about the file, and about the owner of the certificate
  };

  std::string add(std::string serial, Entry entry);
  std::string add_public_key(std::string id, std::shared_ptr<const Verifier> key, std::string warning);
  Result<std::string> add_public_key(std::string id, std::string_view pem, const std::string& name,
                                     std::string warning);
  Result<std::string> add_certificate(std::string_view pem, const std::string& name, std::string warning);

  std::mutex mutex;  ///< guards the rest
  std::map<std::string, Entry, std::less<>> entries;
  std::string chosen;
  std::size_t additions = 0;
};

std::string PlatformKeys::Store::add(std::string serial, Entry entry) {
  const std::lock_guard<std::mutex> lock(mutex);
  entry.added = ++additions;
  entries.insert_or_assign(serial, std::move(entry));
  return serial;
}

std::string PlatformKeys::Store::add_public_key(std::string id, std::shared_ptr<const Verifier> key,
                                                std::string warning) {
  Entry entry;
  entry.key = std::move(key);
  entry.public_key = true;
  if (!warning.empty()) entry.warnings.push_back(std::move(warning));
  return add(std::move(id), std::move(entry));
}

Result<std::string> PlatformKeys::Store::add_public_key(std::string id, std::string_view pem, const std::string& name,
                                                        std::string warning) {
  auto key = public_key_of(id, pem, name);
  if (!key) return std::move(key).error();
  return add_public_key(std::move(id), std::make_shared<RsaVerifier>(*std::move(key)), std::move(warning));
}

Result<std::string> PlatformKeys::Store::add_certificate(std::string_view pem, const std::string& name,
                                                         std::string warning) {
  auto certificate = platform_certificate(pem, name);
  if (!certificate) return std::move(certificate).error();
  Entry entry;
  entry.key = std::make_shared<RsaVerifier>(std::move(certificate->key));
  entry.validity = certificate->validity;
  for (std::string* one : {&certificate->warning, &warning}) {
    if (!one->empty()) entry.warnings.push_back(std::move(*one));
  }
  return add(std::move(certificate->serial), std::move(entry));
}

void PlatformKeysFactory::add_public_key(const PlatformKeys& keys, std::string id,
                                         std::shared_ptr<const Verifier> verifier) {
  keys.store_->add_public_key(std::move(id), std::move(verifier), "");
}

PlatformKeys::PlatformKeys() : store_(std::make_shared<Store>()) {}

Result<std::string> PlatformKeys::add_public_key_file(std::string id, const std::string& file) {
  auto content = KeyFile::read(file, {"file", "add_public_key()"});
  if (!content) return std::move(content).error();
  return store_->add_public_key(std::move(id), content->bytes(), content->name(),
                                content->warning_if_others_may_write());
}

Result<std::string> PlatformKeys::add_public_key(std::string id, std::string_view pem) {
  return store_->add_public_key(std::move(id), pem, "the public key", "");
}

Result<std::string> PlatformKeys::add_certificate_file(const std::string& file) {
  auto content = KeyFile::read(file, {"file", "add_certificate()"});
  if (!content) return std::move(content).error();
  return store_->add_certificate(content->bytes(), content->name(), content->warning_if_others_may_write());
}

Result<std::string> PlatformKeys::add_certificate(std::string_view pem) {
  return store_->add_certificate(pem, "the platform certificate", "");
}

bool PlatformKeys::remove(std::string_view serial) {
  const std::lock_guard<std::mutex> lock(store_->mutex);
  const std::string key = key_of(serial);
  if (store_->chosen == key) store_->chosen.clear();
  return store_->entries.erase(key) == 1;
}

bool PlatformKeys::announce(std::string_view serial) {
  const std::lock_guard<std::mutex> lock(store_->mutex);
  std::string key = key_of(serial);
  if (store_->entries.count(key) == 0) return false;
  store_->chosen = std::move(key);
  return true;
}

std::string PlatformKeys::announced() const {
  const std::lock_guard<std::mutex> lock(store_->mutex);
  if (!store_->chosen.empty() || store_->entries.empty()) return store_->chosen;
  const auto later = [](const auto& a, const auto& b) {
    const Store::Entry& x = a.second;
    const Store::Entry& y = b.second;
    if (x.public_key != y.public_key) return y.public_key;
    return x.public_key ? x.added < y.added : x.validity.not_after < y.validity.not_after;
  };
  return std::max_element(store_->entries.begin(), store_->entries.end(), later)->first;
}

PlatformKeys::Verdict PlatformKeys::verify(std::string_view serial, std::string_view message,
                                           std::string_view signature) const {
  std::shared_ptr<const Verifier> key;
  {
    const std::lock_guard<std::mutex> lock(store_->mutex);
    const auto found = store_->entries.find(key_of(serial));
    if (found == store_->entries.end()) return Verdict::unknown_serial;
    key = found->second.key;
  }
  return key->verify(message, signature) ? Verdict::valid : Verdict::mismatch;
}

std::vector<std::string> PlatformKeys::serials() const {
  const std::lock_guard<std::mutex> lock(store_->mutex);
  std::vector<std::string> serials;
  for (const auto& [serial, entry] : store_->entries) serials.push_back(serial);
  return serials;
}

std::vector<std::string> PlatformKeys::warnings(std::chrono::system_clock::time_point now) const {
  const std::lock_guard<std::mutex> lock(store_->mutex);
  std::vector<std::string> warnings;
  for (const auto& [serial, entry] : store_->entries) {
    warnings.insert(warnings.end(), entry.warnings.begin(), entry.warnings.end());
    if (entry.public_key) continue;
    for (std::string& warning :
         validity_warnings("the platform certificate " + serial, entry.validity, now,
                           "get the new one, or WeChat Pay's public key, on the merchant platform")) {
      warnings.push_back(std::move(warning));
    }
  }
  return warnings;
}

WECHATPAY_BONUS_COMMIT_END

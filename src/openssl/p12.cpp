#include "src/openssl/p12.hpp"

#include <openssl/objects.h>
#include <openssl/pkcs7.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "src/openssl/decryption.hpp"
#include "src/openssl/key_text.hpp"
#include "src/openssl/pem.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

template <auto FreeAll, auto FreeOne>
struct FreeingStack {
  template <typename Stack>
  void operator()(Stack* stack) const noexcept {
    FreeAll(stack, FreeOne);
  }
};
void free_safes(STACK_OF(PKCS7) * safes, void (*free)(PKCS7*)) { sk_PKCS7_pop_free(safes, free); }
void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags, void (*free)(PKCS12_SAFEBAG*)) {
  sk_PKCS12_SAFEBAG_pop_free(bags, free);
}
using SafesHandle = std::unique_ptr<STACK_OF(PKCS7), FreeingStack<free_safes, PKCS7_free>>;
using BagsHandle = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), FreeingStack<free_bags, PKCS12_SAFEBAG_free>>;

/// The contents of a file, independent of the library context that decrypted it.
struct Contents {
  Pkcs8Handle key;
  std::vector<std::string> certificates;  ///< DER
};

std::string unreadable() {
  return "is PKCS#12 that is damaged or of a kind that is not known (" + openssl_reason() + ")";
}

/// Whether the passphrase is right, for a file with a MAC.
bool verify_mac(PKCS12* p12, Decryption& decryption) {
  const ASN1_INTEGER* rounds = nullptr;
  const X509_ALGOR* digest = nullptr;
  PKCS12_get0_mac(nullptr, &digest, nullptr, &rounds, p12);
  std::int64_t number = 1;  // the default of PKCS#12
  if (rounds != nullptr && ASN1_INTEGER_get_int64(&number, rounds) != 1) {
    number = (std::numeric_limits<std::int64_t>::max)();
  }
  if (!decryption.takes(number)) return false;
  if (PKCS12_verify_mac(p12, decryption.passphrase().data(), decryption.passphrase_size()) == 1) return true;
  const ASN1_OBJECT* kind = nullptr;
  X509_ALGOR_get0(&kind, nullptr, nullptr, digest);
  decryption.lacks_digest(OBJ_nid2sn(OBJ_obj2nid(kind)));
  return false;
}

/// A safe's bags; null if it has none, and if it cannot be decrypted.
BagsHandle bags_of(PKCS7* safe, Decryption& decryption) {
  if (safe->d.ptr == nullptr) {
    decryption.fail(unreadable());
    return nullptr;
  }
  if (PKCS7_type_is_data(safe)) {
    BagsHandle bags(PKCS12_unpack_p7data(safe));
    if (bags == nullptr) decryption.fail(unreadable());
    return bags;
  }
  if (!PKCS7_type_is_encrypted(safe)) return nullptr;
  const X509_ALGOR* const encryption = safe->d.encrypted->enc_data->algorithm;
  if (!decryption.takes(encryption)) return nullptr;
  BagsHandle bags(PKCS12_unpack_p7encdata(safe, decryption.passphrase().data(), decryption.passphrase_size()));
  if (bags == nullptr) decryption.lacks(encryption);
  return bags;
}

void add_certificate(const PKCS12_SAFEBAG* bag, Contents& contents, Decryption& decryption) {
  if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return;
  const ErrorQueueGuard guard;
  const CertificateHandle certificate(PKCS12_SAFEBAG_get1_cert(bag));
  unsigned char* der = nullptr;
  const int size = certificate == nullptr ? -1 : i2d_X509(certificate.get(), &der);
  if (size <= 0) return decryption.fail(unreadable());
  const OpensslMemory<unsigned char> own_der(der);
  contents.certificates.emplace_back(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
}

/// Whether all bags could be opened. Bags of other types are skipped.
bool open_bags(const STACK_OF(PKCS12_SAFEBAG) * bags, Contents& contents, Decryption& decryption) {
  for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
    const PKCS12_SAFEBAG* const bag = sk_PKCS12_SAFEBAG_value(bags, i);
    const int kind = PKCS12_SAFEBAG_get_nid(bag);
    if (kind == NID_certBag) add_certificate(bag, contents, decryption);
    if (kind == NID_keyBag && contents.key == nullptr) {
      contents.key.reset(static_cast<PKCS8_PRIV_KEY_INFO*>(
          ASN1_item_dup(ASN1_ITEM_rptr(PKCS8_PRIV_KEY_INFO), PKCS12_SAFEBAG_get0_p8inf(bag))));
      if (contents.key == nullptr) decryption.fail(unreadable());
    }
    if (kind == NID_pkcs8ShroudedKeyBag && contents.key == nullptr) {
      contents.key = decryption.pkcs8(PKCS12_SAFEBAG_get0_pkcs8(bag));
      if (contents.key == nullptr) return false;
    }
    if (kind == NID_safeContentsBag && !open_bags(PKCS12_SAFEBAG_get0_safes(bag), contents, decryption)) return false;
    if (!decryption.fault().empty()) return false;
  }
  return true;
}

/// Empty if it fails. If `fault` is empty then, the passphrase is wrong.
std::optional<Contents> unpack(PKCS12* p12, std::string_view passphrase, std::string& fault) {
  Decryption decryption(passphrase);
  const bool has_mac = PKCS12_mac_present(p12) == 1;
  Contents contents;
  bool opened = decryption.fault().empty() && (!has_mac || verify_mac(p12, decryption));
  if (opened) {
    const SafesHandle safes(PKCS12_unpack_authsafes(p12));
    if (safes == nullptr) decryption.fail(unreadable());
    for (int i = 0; opened && safes != nullptr && i < sk_PKCS7_num(safes.get()); ++i) {
      PKCS7* const safe = sk_PKCS7_value(safes.get(), i);
      const BagsHandle bags = bags_of(safe, decryption);
      const bool known = PKCS7_type_is_data(safe) || PKCS7_type_is_encrypted(safe);
      opened = bags == nullptr ? !known : open_bags(bags.get(), contents, decryption);
    }
    // The MAC has already shown that the passphrase is right.
    if (!opened && has_mac && decryption.fault().empty()) decryption.fail(unreadable());
  }
  fault = decryption.fault();
  if (!opened || !fault.empty()) return std::nullopt;
  return contents;
}

}  // namespace

Result<KeyAndCertificates> read_p12(std::string_view bytes, std::string_view passphrase, const std::string& name) {
  const ErrorQueueGuard guard;
  if (std::string fault = provider_fault(); !fault.empty()) return configuration_error(std::move(fault));
  if (bytes.empty() || bytes.front() != 0x30) {
    return configuration_error(name + " " + contents_of(bytes) + "; apiclient_cert.p12 belongs here (PKCS#12, binary)");
  }
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const Pkcs12Handle p12(d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  if (p12 == nullptr) {
    return configuration_error(name + " is not PKCS#12, or is damaged or incomplete (" + openssl_reason() + ")");
  }
  auto contents = decrypt(name, passphrase, " (WeChat Pay sets the merchant id)",
                          [&](std::string_view tried, std::string& fault) { return unpack(p12.get(), tried, fault); });
  if (!contents) return std::move(contents).error();

  Contents& found = **contents;
  if (found.key == nullptr || found.certificates.empty()) {
    return configuration_error(name + " lacks the " + (found.key == nullptr ? "private key" : "certificate"));
  }
  KeyAndCertificates read;
  read.key.reset(EVP_PKCS82PKEY(found.key.get()));
  for (const std::string& der : found.certificates) {
    const ErrorQueueGuard guard_of_one;
    const auto* from = reinterpret_cast<const unsigned char*>(der.data());
    CertificateHandle certificate(d2i_X509(nullptr, &from, static_cast<long>(der.size())));
    read.certificates.push_back(std::move(certificate));
    if (read.certificates.back() == nullptr) return configuration_error(name + " " + unreadable());
  }
  if (read.key == nullptr) return configuration_error(name + " cannot be used: " + openssl_reason());
  if (const std::string fault = rsa_fault(read.key.get()); !fault.empty()) {
    return configuration_error(name + " " + fault);
  }
  return read;
}

WECHATPAY_BONUS_COMMIT_END

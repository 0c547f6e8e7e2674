#include "src/key_files.hpp"

#include <openssl/bn.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace wechatpay {
namespace {

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// What a file is that is not what it should be.
std::string contents_of(std::string_view bytes) {
  if (bytes.empty()) return "is empty";
  if (holds(bytes, "PRIVATE KEY-----")) return "holds a private key";
  if (holds(bytes, "-----BEGIN CERTIFICATE-----")) return "holds a certificate";
  if (holds(bytes, "PUBLIC KEY-----")) return "holds a public key";
  if (bytes.front() == 0x30) return "is binary (DER or PKCS#12), not PEM";
  return "is not PEM";
}

BioHandle memory_of(std::string_view bytes) {
  return BioHandle(BIO_new_mem_buf(bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U))));
}

struct Passphrase {
  std::string_view text;
  bool asked_for = false;
};

/// Without a callback of ours, OpenSSL would ask at the terminal.
int give_passphrase(char* buffer, int size, int /*writing*/, void* user) {
  auto& passphrase = *static_cast<Passphrase*>(user);
  passphrase.asked_for = true;
  if (passphrase.text.empty() || passphrase.text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, passphrase.text.data(), passphrase.text.size());
  return static_cast<int>(passphrase.text.size());
}

}  // namespace

Result<KeyFile> KeyFile::read(const std::string& path) {
  constexpr std::size_t most = 1U << 20U;
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  const auto failed = [&path](const std::string& why) { return configuration_error(path + ": " + why); };
  const auto system_says = [] { return std::generic_category().message(errno); };

  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return failed("cannot be opened: " + system_says());
  // Unbuffered, so that no copy of a private key stays behind in freed memory; for the same reason the string has its
  // full size from the start.
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  KeyFile content;
  content.bytes_.resize(most + 1);
  const std::size_t size = std::fread(content.bytes_.data(), 1, content.bytes_.size(), file.get());
  if (std::ferror(file.get()) != 0) return failed("cannot be read: " + system_says());
  if (size > most) return failed("is larger than 1 MiB, so it is no key file");
  content.bytes_.resize(size);
  return content;
}

std::string rsa_fault(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1) return "is not an RSA key; WeChat Pay signs with RSA";
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < 2048) return "has " + std::to_string(bits) + " bits; WeChat Pay's keys have 2048";
  return {};
}

Result<PkeyHandle> read_private_key(std::string_view pem, std::string_view passphrase, const std::string& name) {
  const ErrorQueueGuard guard;
  if (!holds(pem, "PRIVATE KEY-----")) {
    return configuration_error(name + " " + contents_of(pem) +
                               "; the merchant's private key belongs here (apiclient_key.pem)");
  }
  Passphrase answer{passphrase};
  const BioHandle bio = memory_of(pem);
  PkeyHandle key(bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &answer));
  if (key == nullptr) {
    const std::string reason = openssl_reason();
    if (answer.asked_for && passphrase.empty()) {
      return configuration_error(name + " is encrypted: give its passphrase");
    }
    if (answer.asked_for) return configuration_error(name + " cannot be decrypted: the passphrase is wrong");
    return configuration_error(name + " holds a private key that cannot be read (" + reason +
                               "): the file is damaged or incomplete");
  }
  if (const std::string fault = rsa_fault(key.get()); !fault.empty()) return configuration_error(name + " " + fault);
  return key;
}

Result<PkeyHandle> read_public_key(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  if (holds(pem, "PRIVATE KEY-----")) {
    return configuration_error(name + " holds a private key; WeChat Pay's public key belongs here (pub_key.pem)");
  }
  if (holds(pem, "-----BEGIN CERTIFICATE-----")) {
    return configuration_error(name + " holds a certificate; add it as a certificate, or give pub_key.pem");
  }
  if (!holds(pem, "-----BEGIN PUBLIC KEY-----")) {
    return configuration_error(name + " " + contents_of(pem) +
                               "; WeChat Pay's public key belongs here (pub_key.pem, -----BEGIN PUBLIC KEY-----)");
  }
  const BioHandle bio = memory_of(pem);
  PkeyHandle key(bio == nullptr ? nullptr : PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    return configuration_error(name + " holds a public key that cannot be read (" + openssl_reason() +
                               "): the file is damaged or incomplete");
  }
  if (const std::string fault = rsa_fault(key.get()); !fault.empty()) return configuration_error(name + " " + fault);
  return key;
}

Result<CertificateHandle> read_certificate(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  if (!holds(pem, "-----BEGIN CERTIFICATE-----")) {
    return configuration_error(name + " " + contents_of(pem) + "; a certificate belongs here");
  }
  const BioHandle bio = memory_of(pem);
  CertificateHandle certificate(bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return configuration_error(name + " holds a certificate that cannot be read (" + openssl_reason() +
                               "): the file is damaged or incomplete");
  }
  return certificate;
}

Result<KeyAndCertificate> read_p12(std::string_view bytes, std::string_view passphrase, const std::string& name) {
  const ErrorQueueGuard guard;
  if (bytes.empty() || bytes.front() != 0x30) {
    return configuration_error(name + " " + contents_of(bytes) + "; apiclient_cert.p12 belongs here (PKCS#12, binary)");
  }
  // WeChat Pay's files are encrypted with RC2, which OpenSSL 3 has in its legacy provider alone. It is loaded into a
  // library context of its own, so that it does not come into the user's process at large.
  const LibraryContextHandle library(OSSL_LIB_CTX_new());
  if (library == nullptr) return configuration_error(name + " cannot be read: " + openssl_reason());
  const ProviderHandle standard(OSSL_PROVIDER_load(library.get(), "default"));
  const ProviderHandle legacy(OSSL_PROVIDER_load(library.get(), "legacy"));

  const BioHandle bio = memory_of(bytes);
  PKCS12* fresh = PKCS12_init_ex(NID_pkcs7_data, library.get(), nullptr);
  if (bio == nullptr || fresh == nullptr || d2i_PKCS12_bio(bio.get(), &fresh) == nullptr) {
    PKCS12_free(fresh);
    return configuration_error(name + " is not PKCS#12, or is damaged or incomplete (" + openssl_reason() + ")");
  }
  const Pkcs12Handle p12(fresh);
  struct Wiped {
    std::string text;
    ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
  };
  const Wiped wiped{std::string(passphrase)};
  const std::string& password = wiped.text;
  if (PKCS12_verify_mac(p12.get(), password.c_str(), static_cast<int>(password.size())) != 1) {
    return configuration_error(name +
                               " cannot be decrypted: the passphrase is wrong (WeChat Pay sets the merchant id)");
  }
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  const int parsed = PKCS12_parse(p12.get(), password.c_str(), &key, &certificate, nullptr);
  const PkeyHandle own_key(key);
  const CertificateHandle own_certificate(certificate);
  if (parsed != 1) {
    return configuration_error(name + " cannot be decrypted (" + openssl_reason() + ")" +
                               (legacy == nullptr ? ": OpenSSL's legacy provider is not installed, and WeChat Pay's "
                                                    "files need it; use apiclient_key.pem and apiclient_cert.pem"
                                                  : ""));
  }
  if (key == nullptr || certificate == nullptr) {
    return configuration_error(name + " lacks the " + (key == nullptr ? "private key" : "certificate"));
  }
  if (const std::string fault = rsa_fault(key); !fault.empty()) return configuration_error(name + " " + fault);

  // Both move to the default library context by way of their DER form, since theirs ends here.
  unsigned char* key_der = nullptr;
  const int key_size = i2d_PrivateKey(key, &key_der);
  unsigned char* certificate_der = nullptr;
  const int certificate_size = i2d_X509(certificate, &certificate_der);
  KeyAndCertificate moved;
  if (key_size > 0 && certificate_size > 0) {
    const unsigned char* at = key_der;
    moved.key.reset(d2i_AutoPrivateKey(nullptr, &at, key_size));
    at = certificate_der;
    moved.certificate.reset(d2i_X509(nullptr, &at, certificate_size));
  }
  if (key_size > 0) OPENSSL_clear_free(key_der, static_cast<std::size_t>(key_size));
  OPENSSL_free(certificate_der);
  if (moved.key == nullptr || moved.certificate == nullptr) {
    return configuration_error(name + " cannot be used: " + openssl_reason());
  }
  return moved;
}

std::string serial_of(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Freeing<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return {};
  const OpensslMemory<char> hex(BN_bn2hex(number.get()));
  return hex == nullptr ? std::string() : std::string(hex.get());
}

std::string common_name_of(const X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return {};
  const OpensslMemory<unsigned char> text(utf8);
  return std::string(reinterpret_cast<const char*>(text.get()), static_cast<std::size_t>(size));
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  const std::unique_ptr<ASN1_TIME, Freeing<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (epoch == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return {};
  days = std::clamp(days, -100000, 100000);  // the clock's nanoseconds end in the year 2262
  return std::chrono::system_clock::time_point(std::chrono::hours(24) * days + std::chrono::seconds(seconds));
}

std::vector<std::string> validity_warnings(const std::string& certificate,
                                           std::chrono::system_clock::time_point not_before,
                                           std::chrono::system_clock::time_point not_after,
                                           std::chrono::system_clock::time_point now, const std::string& cure) {
  const auto days = [](std::chrono::system_clock::duration span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::hours>(span).count() / 24) + " days";
  };
  if (now > not_after) return {certificate + " expired " + days(now - not_after) + " ago: " + cure};
  if (now < not_before) {
    return {certificate + " is not valid yet, for " + days(not_before - now) + ": check this machine's clock"};
  }
  if (not_after - now < std::chrono::hours(24 * 30)) {
    return {certificate + " expires in " + days(not_after - now) + ": " + cure};
  }
  return {};
}

}  // namespace wechatpay

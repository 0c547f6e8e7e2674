#include "wechatpay/bonus_commit/credentials.hpp"

#include <utility>

#include "src/key_files.hpp"
#include "src/rsa.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {

/// Makes Credentials of parts that have been read.
struct CredentialsFactory {
  using Validity = Credentials::Validity;

  static Result<Credentials> make(std::string mchid, std::string serial_no, std::shared_ptr<const Signer> signer,
                                  std::optional<Validity> validity = std::nullopt) {
    if (mchid.empty()) return configuration_error("mchid is empty: give the merchant id");
    for (const char c : mchid) {
      if (c <= 0x20 || c >= 0x7F || c == '"' || c == '\\') {
        return configuration_error("mchid " + printable(mchid, 64) +
                                   " holds a quote, a backslash or a character that is not printable ASCII, which "
                                   "would break the Authorization header");
      }
    }
    if (serial_no.empty() || serial_no.find_first_not_of("0123456789ABCDEFabcdef") != std::string::npos) {
      return configuration_error(
          "serial_no must be the serial number of the merchant's API certificate in hex, not \"" +
          printable(serial_no, 64) + "\" (openssl x509 -in apiclient_cert.pem -noout -serial shows it)");
    }
    if (signer == nullptr) return configuration_error("signer is null");
    return Credentials(std::move(mchid), upper_case(serial_no), std::move(signer), validity);
  }

  static Result<Credentials> make(KeyAndCertificate pair, const std::string& key_name,
                                  const std::string& certificate_name) {
    const ErrorQueueGuard guard;
    const X509* certificate = pair.certificate.get();
    if (X509_check_private_key(certificate, pair.key.get()) != 1) {
      return configuration_error(key_name + " does not belong to " + certificate_name + " (serial number " +
                                 serial_of(certificate) + "): take both from the same download");
    }
    const std::string mchid = common_name_of(certificate);
    if (mchid.empty() || mchid.find_first_not_of("0123456789") != std::string::npos) {
      return configuration_error(certificate_name + " names \"" + printable(mchid, 64) +
                                 "\" where a merchant's certificate names its merchant id (the subject's CN): "
                                 "apiclient_cert.pem belongs here");
    }
    const Validity validity{time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))};
    return make(mchid, serial_of(certificate), make_rsa_signer(std::move(pair.key)), validity);
  }

  static Result<Credentials> from_pem(std::string_view certificate, const std::string& certificate_name,
                                      std::string_view key, const std::string& key_name, std::string_view passphrase) {
    auto certificate_handle = read_certificate(certificate, certificate_name);
    if (!certificate_handle) return std::move(certificate_handle).error();
    auto key_handle = read_private_key(key, passphrase, key_name);
    if (!key_handle) return std::move(key_handle).error();
    return make({*std::move(key_handle), *std::move(certificate_handle)}, key_name, certificate_name);
  }

  static Result<Credentials> from_p12(std::string_view bytes, std::string_view passphrase, const std::string& name) {
    auto pair = read_p12(bytes, passphrase, name);
    if (!pair) return std::move(pair).error();
    return make(*std::move(pair), "the private key in " + name, "the certificate in it");
  }

  static Result<Credentials> from_key(std::string mchid, std::string serial_no, std::string_view key,
                                      const std::string& name, std::string_view passphrase) {
    auto handle = read_private_key(key, passphrase, name);
    if (!handle) return std::move(handle).error();
    return make(std::move(mchid), std::move(serial_no), make_rsa_signer(*std::move(handle)));
  }
};

Credentials::Credentials(std::string mchid, std::string serial_no, std::shared_ptr<const Signer> signer,
                         std::optional<Validity> validity)
    : mchid_(std::move(mchid)),
      serial_no_(std::move(serial_no)),
      signer_(std::move(signer)),
      validity_(std::move(validity)) {}

Result<Credentials> Credentials::from_pem_files(const std::string& certificate_file, const std::string& key_file,
                                                std::string_view passphrase) {
  auto certificate = KeyFile::read(certificate_file);
  if (!certificate) return std::move(certificate).error();
  auto key = KeyFile::read(key_file);
  if (!key) return std::move(key).error();
  return CredentialsFactory::from_pem(certificate->bytes(), certificate_file, key->bytes(), key_file, passphrase);
}

Result<Credentials> Credentials::from_pem(std::string_view certificate, std::string_view key,
                                          std::string_view passphrase) {
  return CredentialsFactory::from_pem(certificate, "the certificate", key, "the private key", passphrase);
}

Result<Credentials> Credentials::from_p12_file(const std::string& file, std::string_view passphrase) {
  auto content = KeyFile::read(file);
  if (!content) return std::move(content).error();
  return CredentialsFactory::from_p12(content->bytes(), passphrase, file);
}

Result<Credentials> Credentials::from_p12(std::string_view bytes, std::string_view passphrase) {
  return CredentialsFactory::from_p12(bytes, passphrase, "the PKCS#12 file");
}

Result<Credentials> Credentials::from_key_file(std::string mchid, std::string serial_no, const std::string& key_file,
                                               std::string_view passphrase) {
  auto key = KeyFile::read(key_file);
  if (!key) return std::move(key).error();
  return CredentialsFactory::from_key(std::move(mchid), std::move(serial_no), key->bytes(), key_file, passphrase);
}

Result<Credentials> Credentials::from_key(std::string mchid, std::string serial_no, std::string_view key,
                                          std::string_view passphrase) {
  return CredentialsFactory::from_key(std::move(mchid), std::move(serial_no), key, "the private key", passphrase);
}

Result<Credentials> Credentials::from_signer(std::string mchid, std::string serial_no,
                                             std::shared_ptr<const Signer> signer) {
  return CredentialsFactory::make(std::move(mchid), std::move(serial_no), std::move(signer));
}

std::vector<std::string> Credentials::warnings(std::chrono::system_clock::time_point now) const {
  if (!validity_) return {};
  return validity_warnings("the merchant's certificate " + serial_no_, validity_->not_before, validity_->not_after, now,
                           "get a new one on the merchant platform");
}

}  // namespace wechatpay

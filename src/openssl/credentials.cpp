#include "wechatpay/bonus_commit/credentials.hpp"

#include <utility>

#include "src/openssl/certificate.hpp"
#include "src/openssl/key_file.hpp"
#include "src/openssl/p12.hpp"
#include "src/openssl/pem.hpp"
#include "src/openssl/rsa.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/stages/check.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

/// Why a text is not a serial number in hex; empty if it is one. Begins with a verb. Does not quote the text, which may
/// be a passphrase in the wrong place.
std::string serial_no_fault(std::string_view serial_no) {
  constexpr std::size_t longest = 40;  // 20 bytes (RFC 5280, 4.1.2.2)
  const std::string length = std::to_string(serial_no.size());
  if (serial_no.empty()) return "is empty";
  if (consists_of(serial_no, decimal_digits) && serial_no.size() > longest) {
    return "has " + length + " digits, as the serial number has in decimal; give it in hex";
  }
  if (consists_of(serial_no, hex_digits)) {
    if (serial_no.size() > longest) return "has " + length + " digits of hex; a serial number has 40 at most";
    if (serial_no.size() % 2 == 0) return {};
    return "has " + length + " digits of hex, an odd number; a leading zero or another digit is missing";
  }
  if (upper_case(serial_no.substr(0, 2)) == "0X") return "begins with 0x; give only the digits";
  if (serial_no.substr(0, 11) == "PUB_KEY_ID_") return "is the id of WeChat Pay's public key";
  if (consists_of(serial_no, "0123456789ABCDEFabcdef:")) return "has colons; give only the digits";
  if (consists_of(serial_no, "0123456789ABCDEFabcdef: \t\r\n")) return "has blanks; give only the digits";
  return "has " + length + " bytes that are not all digits of hex";
}

}  // namespace

/// Builds Credentials from parts that have been read.
struct CredentialsFactory {
  static Result<Credentials> make(std::string mchid, std::string serial_no, std::shared_ptr<const Signer> signer,
                                  std::optional<Credentials::Validity> validity = std::nullopt) {
    const bool serial_in_hex = serial_no_fault(serial_no).empty();
    if (const std::string fault = mchid_fault(mchid); !fault.empty()) {
      const bool could_be_serial_no = serial_no_fault(mchid).empty();
      const bool swapped = could_be_serial_no && mchid_fault(serial_no).empty();
      return configuration_error("mchid " + fault + (swapped ? ": mchid and serial_no are in each other's place" : ""));
    }
    const std::string belongs =
        ": the serial number of the merchant's API certificate belongs here, in hex (openssl x509 -in "
        "apiclient_cert.pem -noout -serial shows it)";
    if (!serial_in_hex) return configuration_error("serial_no " + serial_no_fault(serial_no) + belongs);
    if (serial_no == mchid) return configuration_error("serial_no is the merchant id" + belongs);
    if (signer == nullptr) return configuration_error("signer is null");
    serial_no = upper_case(serial_no);
    return Credentials(std::move(mchid), std::move(serial_no), std::move(signer), validity);
  }

  /// `certificate_name` is how messages refer to the certificate, or to the file that contains it.
  static Result<Credentials> make(PkeyHandle key, const std::string& key_name,
                                  std::vector<CertificateHandle> certificates, const std::string& certificate_name) {
    const ErrorQueueGuard guard;
    const CertificateHandle owner = certificate_of_key(std::move(certificates), key.get());
    const X509* const certificate = owner.get();
    const EVP_PKEY* const public_key = X509_get0_pubkey(certificate);
    const std::string serial = serial_of(certificate);
    const auto validity = validity_of(certificate);
    const bool has_serial = serial_no_fault(serial).empty();
    if (public_key == nullptr || !validity || !has_serial) {
      return configuration_error(certificate_name +
                                 " holds a certificate whose key, dates or serial number cannot be "
                                 "used (" +
                                 openssl_reason() + ")");
    }
    const int same = EVP_PKEY_eq(public_key, key.get());
    if (same == 0 || same == -1) {  // the key differs, or it is of another type
      return configuration_error(key_name + " does not belong to " + certificate_name + " (serial number " + serial +
                                 "): take both from the same download");
    }
    if (same != 1) {
      return configuration_error(key_name + " cannot be compared with " + certificate_name + ": " + openssl_reason());
    }
    const std::string mchid = common_name_of(X509_get_subject_name(certificate));
    if (!mchid_fault(mchid).empty()) {
      return configuration_error(certificate_name + " names \"" + printable(mchid, 64) +
                                 "\" where a merchant's certificate names its merchant id (the subject's CN): "
                                 "apiclient_cert.pem belongs here");
    }
    return make(mchid, serial, make_rsa_signer(std::move(key)),
                Credentials::Validity{validity->not_before, validity->not_after});
  }

  static Result<Credentials> from_pem(std::string_view certificate, const std::string& certificate_name,
                                      std::string_view key, const std::string& key_name, std::string_view passphrase) {
    auto certificates = read_certificates(certificate, certificate_name);
    if (!certificates) return std::move(certificates).error();
    auto private_key = read_private_key(key, passphrase, key_name);
    if (!private_key) return std::move(private_key).error();
    return make(*std::move(private_key), key_name, *std::move(certificates), certificate_name);
  }

  static Result<Credentials> from_p12(std::string_view bytes, std::string_view passphrase, const std::string& name) {
    auto read = read_p12(bytes, passphrase, name);
    if (!read) return std::move(read).error();
    return make(std::move(read->key), "the private key in " + name, std::move(read->certificates),
                "the certificate in it");
  }

  static Result<Credentials> from_key(std::string mchid, std::string serial_no, std::string_view key,
                                      const std::string& name, std::string_view passphrase) {
    auto private_key = read_private_key(key, passphrase, name);
    if (!private_key) return std::move(private_key).error();
    return make(std::move(mchid), std::move(serial_no), make_rsa_signer(*std::move(private_key)));
  }

  /// The credentials, with a warning if other users may read the key's file.
  static Result<Credentials> from_file(Result<Credentials> credentials, const KeyFile& file) {
    if (credentials) credentials->warn(file.warning_if_shared());
    return credentials;
  }
};

Credentials::Credentials(std::string mchid, std::string serial_no, std::shared_ptr<const Signer> signer,
                         std::optional<Validity> validity)
    : mchid_(std::move(mchid)), serial_no_(std::move(serial_no)), signer_(std::move(signer)), validity_(validity) {}

void Credentials::warn(std::string warning) {
  if (!warning.empty()) warnings_.push_back(std::move(warning));
}

Result<Credentials> Credentials::from_pem_files(const std::string& certificate_file, const std::string& key_file,
                                                std::string_view passphrase) {
  auto certificate = KeyFile::read(certificate_file, {"certificate_file", "from_pem()"});
  if (!certificate) return std::move(certificate).error();
  auto key = KeyFile::read(key_file, {"key_file", "from_pem()"});
  if (!key) return std::move(key).error();
  return CredentialsFactory::from_file(
      CredentialsFactory::from_pem(certificate->bytes(), certificate->name(), key->bytes(), key->name(), passphrase),
      *key);
}

Result<Credentials> Credentials::from_pem(std::string_view certificate, std::string_view key,
                                          std::string_view passphrase) {
  return CredentialsFactory::from_pem(certificate, "the certificate", key, "the private key", passphrase);
}

Result<Credentials> Credentials::from_p12_file(const std::string& file, std::string_view passphrase) {
  auto content = KeyFile::read(file, {"file", "from_p12()"});
  if (!content) return std::move(content).error();
  return CredentialsFactory::from_file(CredentialsFactory::from_p12(content->bytes(), passphrase, content->name()),
                                       *content);
}

Result<Credentials> Credentials::from_p12(std::string_view bytes, std::string_view passphrase) {
  return CredentialsFactory::from_p12(bytes, passphrase, "the PKCS#12 file");
}

Result<Credentials> Credentials::from_key_file(std::string mchid, std::string serial_no, const std::string& key_file,
                                               std::string_view passphrase) {
  auto key = KeyFile::read(key_file, {"key_file", "from_key()"});
  if (!key) return std::move(key).error();
  return CredentialsFactory::from_file(
      CredentialsFactory::from_key(std::move(mchid), std::move(serial_no), key->bytes(), key->name(), passphrase),
      *key);
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
  std::vector<std::string> warnings = warnings_;
  if (!validity_) return warnings;
  for (std::string& warning :
       validity_warnings("the merchant's certificate " + serial_no_, {validity_->not_before, validity_->not_after}, now,
                         "get a new one on the merchant platform")) {
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

WECHATPAY_BONUS_COMMIT_END

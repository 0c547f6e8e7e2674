/// The merchant's identity: its id, the serial number of its API certificate, and its private key.
#ifndef WECHATPAY_BONUS_COMMIT_CREDENTIALS_HPP
#define WECHATPAY_BONUS_COMMIT_CREDENTIALS_HPP

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Signs with the merchant's API private key. Derive from it to use a key in an HSM or a KMS.
class WECHATPAY_BONUS_COMMIT_TYPE Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;

  /// Returns the RSASSA-PKCS1-v1_5 signature with SHA-256 over `message`: raw bytes, not Base64; 256 of them for a key
  /// of 2048 bits. An error (see signing_error()) or an exception ends the call with `signing_failed`, and its message
  /// reaches the caller.
  ///
  /// May be called from several threads at once. For each try of commit(), and for the first try of commit_async(), it
  /// runs on the calling thread. For each further try of commit_async(), it runs where ClientOptions::executor runs the
  /// task. Without an executor, it runs on the thread that completed the previous try. With CurlTransport, that is the
  /// one thread that serves all calls: while it signs, no other call makes progress.
  virtual Result<std::string> sign(std::string_view message) const = 0;
};

/// The keys that sign requests. Each way to create them reports at start-up what would otherwise fail at the first
/// call. These are errors of kind `invalid_configuration`: a file that cannot be read, a wrong passphrase, something
/// else in place of the private key or the certificate, a key that is not RSA, has less than 2048 bits or does not
/// belong to the certificate, a merchant id that is not 1 to 32 digits, and a serial number that is not hex. The error
/// names the file or the argument, and says what was found there.
///
/// No error quotes what may be a secret, whatever argument it was given in. A file name is quoted only if the file
/// exists, lies in a folder that exists, or ends like a key file (.pem, .p12…). Keys, passphrases, and texts that are
/// not valid merchant ids or serial numbers are never quoted.
///
/// PEM keys may be PKCS#8 or PKCS#1, with or without a passphrase, encrypted with current or legacy ciphers (DES, RC2).
/// A file must be a regular file of at most 1 MiB, or a pipe that is written within 5 seconds. A file that needs more
/// than 5,000,000 rounds of key derivation is refused. Copies are cheap, because they share the key. Immutable and
/// thread-safe.
class Credentials {
 public:
  /// From `apiclient_cert.pem` and `apiclient_key.pem`. The merchant id is the CN of the certificate's subject, and the
  /// serial number is the certificate's. If the file has several certificates, the one that belongs to the key is used.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_pem_files(const std::string& certificate_file,
                                                                          const std::string& key_file,
                                                                          std::string_view passphrase = {});

  /// The same from the contents of the two files.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_pem(std::string_view certificate, std::string_view key,
                                                                    std::string_view passphrase = {});

  /// From `apiclient_cert.p12`, whose passphrase WeChat Pay sets to the merchant id.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_p12_file(const std::string& file,
                                                                         std::string_view passphrase);

  /// The same from the content of the file, which is binary.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_p12(std::string_view bytes,
                                                                    std::string_view passphrase);

  /// From the merchant id (1 to 32 digits), the serial number (hex in either case, two digits a byte, at most 40
  /// digits) and the key, given separately.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_key_file(std::string mchid, std::string serial_no,
                                                                         const std::string& key_file,
                                                                         std::string_view passphrase = {});

  /// The same from the content of the key file.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_key(std::string mchid, std::string serial_no,
                                                                    std::string_view key,
                                                                    std::string_view passphrase = {});

  /// From a key outside the library, such as in an HSM.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_signer(std::string mchid, std::string serial_no,
                                                                       std::shared_ptr<const Signer> signer);

  /// The merchant id in the Authorization header. For a service provider, this is its own id, which need not be one of
  /// the request's ids.
  const std::string& mchid() const noexcept { return mchid_; }

  /// The certificate's serial number, in upper-case hex, with leading zeros.
  const std::string& serial_no() const noexcept { return serial_no_; }

  /// The signer. It lives as long as these credentials or a copy of them.
  const Signer& signer() const noexcept { return *signer_; }

  /// When the certificate expires. Nothing if no certificate was given.
  std::optional<std::chrono::system_clock::time_point> not_after() const noexcept {
    return validity_ ? std::optional(validity_->not_after) : std::nullopt;
  }

  /// Problems that may need action: a private key file that its group or others could read or write when it was read,
  /// with the command that corrects it; and a certificate that has expired, is not yet valid, or expires within 30
  /// days. They are not errors, since the server decides. Log them at start-up and once a day.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT std::vector<std::string> warnings(
      std::chrono::system_clock::time_point now = std::chrono::system_clock::now()) const;

 private:
  struct Validity {
    std::chrono::system_clock::time_point not_before;
    std::chrono::system_clock::time_point not_after;
  };

  Credentials(std::string mchid, std::string serial_no, std::shared_ptr<const Signer> signer,
              std::optional<Validity> validity);
  void warn(std::string warning);

  friend struct CredentialsFactory;

  std::string mchid_;
  std::string serial_no_;
  std::shared_ptr<const Signer> signer_;
  std::optional<Validity> validity_;   ///< of the certificate, if one was given
  std::vector<std::string> warnings_;  ///< about the key file
};

WECHATPAY_BONUS_COMMIT_END

#endif

/// Who signs: the merchant's id, the serial number of its API certificate, and its private key.
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

/// Signs with the merchant's API private key: a port, so that the key may live in an HSM or a KMS.
class WECHATPAY_BONUS_COMMIT_TYPE Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;

  /// The RSASSA-PKCS1-v1_5 signature with SHA-256 over `message`: raw bytes, 256 for a key of 2048 bits, not Base64. An
  /// error, or an exception, ends the call with `signing_failed`, and its message reaches the caller.
  ///
  /// Called from several threads at once: for each try of commit(), and for the first one of commit_async(), on the
  /// thread that calls these. For each further try of commit_async() it is called where ClientOptions::executor has it
  /// run; without one, on the thread that completed the try before, which with CurlTransport is the one thread of all
  /// its calls: while it works there, no other call goes on.
  virtual Result<std::string> sign(std::string_view message) const = 0;
};

/// Credentials that work: each way to make them says at start-up what would otherwise fail at the first call. A file
/// that cannot be read, a wrong passphrase, something else in the place of the private key or the certificate, a key
/// that is not RSA, has less than 2048 bits or does not belong to the certificate, a merchant id that is not 1 to 32
/// digits and a serial number that is not hex are errors of kind `invalid_configuration`. They name the file or the
/// argument and say what was found there.
///
/// No error quotes what may be a secret, whatever argument it was given in: a file's name is quoted where it exists,
/// lies in a folder that exists or ends as key files do (.pem, .p12…); keys, passphrases, and merchant ids and serial
/// numbers that are none, never.
///
/// PEM keys may be PKCS#8 or PKCS#1, with or without a passphrase, with today's ciphers or with legacy ones (DES, RC2).
/// A file is a regular file of 1 MiB at most, or a pipe that is written to within 5 seconds. A file that asks for more
/// than 5,000,000 rounds of key derivation is refused. Cheap to copy (the key is shared), immutable and thread-safe.
class Credentials {
 public:
  /// From `apiclient_cert.pem` and `apiclient_key.pem`: the merchant id is the subject's CN, the serial number is the
  /// certificate's. Of several certificates in the file, the one that belongs to the key is taken.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_pem_files(const std::string& certificate_file,
                                                                          const std::string& key_file,
                                                                          std::string_view passphrase = {});

  /// The same from what the two files hold.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_pem(std::string_view certificate, std::string_view key,
                                                                    std::string_view passphrase = {});

  /// From `apiclient_cert.p12`, whose passphrase WeChat Pay sets to the merchant id.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_p12_file(const std::string& file,
                                                                         std::string_view passphrase);

  /// The same from what the file holds, which is binary.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_p12(std::string_view bytes,
                                                                    std::string_view passphrase);

  /// From the merchant id (1 to 32 digits), the serial number (hex in either case, two digits a byte, 40 at most) and
  /// the key one by one.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_key_file(std::string mchid, std::string serial_no,
                                                                         const std::string& key_file,
                                                                         std::string_view passphrase = {});

  /// The same from what the key's file holds.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_key(std::string mchid, std::string serial_no,
                                                                    std::string_view key,
                                                                    std::string_view passphrase = {});

  /// From a key that lives elsewhere.
  WECHATPAY_BONUS_COMMIT_EXPORT static Result<Credentials> from_signer(std::string mchid, std::string serial_no,
                                                                       std::shared_ptr<const Signer> signer);

  /// The merchant id of the Authorization header. A service provider's own; it need not be one of the request's.
  const std::string& mchid() const noexcept { return mchid_; }

  /// In upper case, leading zeros kept.
  const std::string& serial_no() const noexcept { return serial_no_; }

  /// Who signs. It lives as long as these credentials or a copy of them.
  const Signer& signer() const noexcept { return *signer_; }

  /// When the certificate ends; nothing where none was given.
  std::optional<std::chrono::system_clock::time_point> not_after() const noexcept {
    return validity_ ? std::optional(validity_->not_after) : std::nullopt;
  }

  /// What is not wrong for certain but should be seen to: a file with the private key that its group or others could
  /// read or write when it was read, with the command that mends it; and a certificate that has expired, is not valid
  /// yet, or expires within 30 days. Not errors, since the server decides. Log them at start-up and once a day.
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
  std::optional<Validity> validity_;   ///< of the certificate, where one was given
  std::vector<std::string> warnings_;  ///< of the file
};

WECHATPAY_BONUS_COMMIT_END

#endif

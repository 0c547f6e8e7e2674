/// The keys that verify WeChat Pay's answers: its public keys and platform certificates.
#ifndef WECHATPAY_BONUS_COMMIT_PLATFORM_KEYS_HPP
#define WECHATPAY_BONUS_COMMIT_PLATFORM_KEYS_HPP

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The keys that verify answers, found by the value of `Wechatpay-Serial`. They hold several keys at once, because
/// WeChat Pay uses two during a rotation.
///
/// Copies share their keys, and a client holds a copy. You may add, replace and remove keys through any copy while
/// calls are in progress. Every member function is thread-safe, except assigning to it and moving from it. An answer is
/// verified with the keys that are present when it arrives.
///
/// A key that cannot be used is refused with an error of kind `invalid_configuration` that names the file. This finds
/// the most common mistakes: the merchant's own certificate, or that of a certificate authority (CA), in place of the
/// platform certificate, and a serial number in place of the public key's id. Files are read and quoted as in
/// Credentials.
class PlatformKeys {
 public:
  /// The result of verifying a signature.
  enum class Verdict {
    valid,           ///< the signature matches the key and the message
    mismatch,        ///< made with another key, or over another message
    unknown_serial,  ///< there is no key with that serial
  };

  /// No keys.
  WECHATPAY_BONUS_COMMIT_EXPORT PlatformKeys();

  /// Shares the keys. So does a move.
  /// @{
  PlatformKeys(const PlatformKeys&) = default;
  PlatformKeys& operator=(const PlatformKeys&) = default;
  /// @}

  /// Adds a WeChat Pay public key from `pub_key.pem`. The merchant platform shows its id (`PUB_KEY_ID_` and digits)
  /// beside that file. Replaces a key with the same id. Returns the id.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_public_key_file(std::string id, const std::string& file);

  /// The same from the content of the file: PEM, SPKI or PKCS#1.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_public_key(std::string id, std::string_view pem);

  /// Adds a platform certificate, `wechatpay_<serial>.pem`. Replaces a certificate with the same serial number. A file
  /// with several certificates is refused. Returns the serial number.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_certificate_file(const std::string& file);

  /// The same from the content of the file.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_certificate(std::string_view pem);

  /// Removes a key. Answers signed with it no longer verify. Returns false if there is no such key.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool remove(std::string_view serial);

  /// Sets the key that requests announce in `Wechatpay-Serial`, until that key is removed. Returns false if there is no
  /// such key.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool announce(std::string_view serial);

  /// Returns the serial that requests announce: the one set by announce(), else the public key that was added last,
  /// else the certificate that expires last; empty if there are no keys.
  WECHATPAY_BONUS_COMMIT_EXPORT std::string announced() const;

  /// Verifies `signature` (raw bytes): an RSASSA-PKCS1-v1_5 signature with SHA-256 over `message` by the key with that
  /// serial. Case does not matter in serial numbers.
  WECHATPAY_BONUS_COMMIT_EXPORT Verdict verify(std::string_view serial, std::string_view message,
                                               std::string_view signature) const;

  /// Returns all serials, for a message.
  WECHATPAY_BONUS_COMMIT_EXPORT std::vector<std::string> serials() const;

  /// Problems that may need action: platform certificates that have expired, are not yet valid, or expire within 30
  /// days (public keys do not expire); certificates that name someone other than WeChat Pay, such as a TLS host; and
  /// files that other users could write when they were read. They are not errors, since the signature decides. Log them
  /// at start-up and once a day.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT std::vector<std::string> warnings(
      std::chrono::system_clock::time_point now = std::chrono::system_clock::now()) const;

 private:
  friend struct PlatformKeysFactory;

  struct Store;

  std::shared_ptr<Store> store_;  ///< never null, since moving copies it
};

WECHATPAY_BONUS_COMMIT_END

#endif

/// Whose answers are believed: WeChat Pay's public keys and platform certificates.
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

/// The keys with which answers may be signed, by the value of `Wechatpay-Serial`. Several at once, because WeChat Pay
/// uses two during a rotation.
///
/// Copies share their keys, and a client holds a copy: add, replace and remove keys through any copy while calls are
/// under way. Every member is thread-safe, and an answer is verified with the keys that are there when it arrives.
///
/// What cannot be used is refused with an error of kind `invalid_configuration` that names the file: above all the
/// merchant's own certificate or an authority's (CA) in the place of the platform's, and a serial number in the place
/// of a public key's id. Files are read and named as Credentials does.
class PlatformKeys {
 public:
  /// What a signature is under the key of a serial.
  enum class Verdict {
    valid,           ///< made with that key over that message
    mismatch,        ///< not made with that key, or over another message
    unknown_serial,  ///< there is no such key
  };

  /// Without a key.
  WECHATPAY_BONUS_COMMIT_EXPORT PlatformKeys();

  /// Shares the keys. A move does the same.
  /// @{
  PlatformKeys(const PlatformKeys&) = default;
  PlatformKeys& operator=(const PlatformKeys&) = default;
  /// @}

  /// A WeChat Pay public key: the id (`PUB_KEY_ID_` and digits) that the merchant platform shows beside `pub_key.pem`.
  /// An id that is there already is replaced. Returns the id.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_public_key_file(std::string id, const std::string& file);

  /// The same from what the file holds: PEM, SPKI or PKCS#1.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_public_key(std::string id, std::string_view pem);

  /// A platform certificate, `wechatpay_<serial>.pem`. One with the same serial number is replaced. A file of several
  /// certificates is refused. Returns the serial number.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_certificate_file(const std::string& file);

  /// The same from what the file holds.
  WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> add_certificate(std::string_view pem);

  /// Forgets a key; answers signed with it are then not verified any more. False if it was not there.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool remove(std::string_view serial);

  /// Chooses the key that requests announce in `Wechatpay-Serial`, until it is removed. False if it is not there.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT bool announce(std::string_view serial);

  /// The serial that requests announce: the chosen one, else the public key that was added last, else the certificate
  /// that expires last; empty where there are no keys.
  WECHATPAY_BONUS_COMMIT_EXPORT std::string announced() const;

  /// Whether `signature` (raw bytes) is an RSASSA-PKCS1-v1_5 signature with SHA-256 over `message` under the key of
  /// that serial. Serial numbers are compared without regard to case.
  WECHATPAY_BONUS_COMMIT_EXPORT Verdict verify(std::string_view serial, std::string_view message,
                                               std::string_view signature) const;

  /// All serials, for a message.
  WECHATPAY_BONUS_COMMIT_EXPORT std::vector<std::string> serials() const;

  /// Platform certificates that have expired, are not valid yet, or expire within 30 days (public keys have no end);
  /// certificates that name somebody else than WeChat Pay's do, such as a TLS host's; and files that others could write
  /// when they were read. Not errors, since it is the signature that counts. Log them at start-up and once a day.
  [[nodiscard]] WECHATPAY_BONUS_COMMIT_EXPORT std::vector<std::string> warnings(
      std::chrono::system_clock::time_point now = std::chrono::system_clock::now()) const;

 private:
  friend struct PlatformKeysFactory;

  struct Store;

  std::shared_ptr<Store> store_;  ///< never null, since nothing is moved out of it
};

WECHATPAY_BONUS_COMMIT_END

#endif

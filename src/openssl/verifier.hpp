/// Verifies the signatures of one platform key.
#ifndef WECHATPAY_SRC_OPENSSL_VERIFIER_HPP
#define WECHATPAY_SRC_OPENSSL_VERIFIER_HPP

#include <memory>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/platform_keys.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// An interface, so that the simulation can use signatures without computing cost. Thread-safe.
class Verifier {
 public:
  Verifier() = default;
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;
  virtual ~Verifier() = default;

  /// Whether `signature` (raw bytes) is an RSASSA-PKCS1-v1_5 signature with SHA-256 over `message`.
  virtual bool verify(std::string_view message, std::string_view signature) const = 0;
};

/// Adds keys that are not in a file.
struct PlatformKeysFactory {
  /// Like PlatformKeys::add_public_key().
  static void add_public_key(const PlatformKeys& keys, std::string id, std::shared_ptr<const Verifier> verifier);
};

WECHATPAY_BONUS_COMMIT_END

#endif

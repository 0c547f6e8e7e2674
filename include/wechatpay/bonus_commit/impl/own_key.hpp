/// Whether a platform key is the merchant's own.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_OWN_KEY_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_OWN_KEY_HPP

#include <string>

#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// The serial of the platform key that verifies the merchant's own signature. Such a key is the merchant's own public
/// key, so it can never verify an answer. Empty if there is none, and if the signer cannot sign now.
inline std::string serial_of_own_key(const Credentials& credentials, const PlatformKeys& platform_keys) {
  const std::string message = "wechatpay-bonus-commit: is this the merchant's own key?\n";
  std::string signature;
  try {
    const UsersCode guard;
    auto made = credentials.signer().sign(message);
    if (!made) return {};
    signature = *std::move(made);
  } catch (...) {
    return {};  // the user's code; the first commit reports its exception
  }
  for (const std::string& serial : platform_keys.serials()) {
    if (platform_keys.verify(serial, message, signature) == PlatformKeys::Verdict::valid) return serial;
  }
  return {};
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

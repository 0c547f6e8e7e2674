/// Signing and verifying under an RSA key with OpenSSL.
#ifndef WECHATPAY_SRC_OPENSSL_RSA_HPP
#define WECHATPAY_SRC_OPENSSL_RSA_HPP

#include <memory>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"

namespace wechatpay {

std::shared_ptr<const Signer> make_rsa_signer(PkeyHandle private_key);
std::shared_ptr<const PlatformKey> make_rsa_platform_key(PkeyHandle public_key);

}  // namespace wechatpay

#endif

/// PKCS#12 files.
#ifndef WECHATPAY_SRC_OPENSSL_P12_HPP
#define WECHATPAY_SRC_OPENSSL_P12_HPP

#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

struct KeyAndCertificates {
  PkeyHandle key;
  std::vector<CertificateHandle> certificates;  ///< at least one
};

/// The private key (RSA, at least 2048 bits) and the certificates of a PKCS#12 file. `name` is the file's name in
/// messages.
Result<KeyAndCertificates> read_p12(std::string_view bytes, std::string_view passphrase, const std::string& name);

WECHATPAY_BONUS_COMMIT_END

#endif

/// The answer to GET /v3/certificates.
#ifndef WECHATPAY_SRC_TESTING_CERTIFICATE_LIST_HPP
#define WECHATPAY_SRC_TESTING_CERTIFICATE_LIST_HPP

#include <string>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A list with one certificate, encrypted with AEAD_AES_256_GCM under the APIv3 key of 32 characters. Throws
/// std::runtime_error if OpenSSL fails.
std::string certificate_list(const X509* certificate, const std::string& serial_no, const std::string& pem,
                             const std::string& api_v3_key);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

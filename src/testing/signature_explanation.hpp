/// Why a signature does not match its request, found by trying common mistakes.
#ifndef WECHATPAY_SRC_TESTING_SIGNATURE_EXPLANATION_HPP
#define WECHATPAY_SRC_TESTING_SIGNATURE_EXPLANATION_HPP

#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/signed_message.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A key that may have been used by mistake.
struct NamedKey {
  std::string name;  ///< the name in sentences: "the key of WeChat Pay's platform certificate"
  EVP_PKEY* key;
};

/// The cause as plain sentences that say what to change, without any key or signature. `signature`: as it is in
/// Authorization. `key`: the merchant's key, public or private; the same applies to `other_keys`. The signature must
/// not match.
std::string explain_signature(const MessageParts& parts, const MessageContext& context, std::string_view signature,
                              EVP_PKEY* key, const std::vector<NamedKey>& other_keys);

/// The same for an answer: `key` is the platform key that Wechatpay-Serial names; the texts come from the answer's
/// headers.
std::string explain_answer_signature(std::string_view timestamp, std::string_view nonce, const std::string& body,
                                     std::string_view signature, EVP_PKEY* key,
                                     const std::vector<NamedKey>& other_keys);

/// The first line in which two messages differ, as a sentence.
std::string first_difference(std::string_view signed_message, std::string_view message);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

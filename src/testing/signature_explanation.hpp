/// Why a signature does not match its request, found by trying what people do wrong.
#ifndef WECHATPAY_SRC_TESTING_SIGNATURE_EXPLANATION_HPP
#define WECHATPAY_SRC_TESTING_SIGNATURE_EXPLANATION_HPP

#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/signed_message.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A key that somebody may have taken by mistake.
struct NamedKey {
  std::string name;  ///< as a sentence calls it: "the key of WeChat Pay's platform certificate"
  EVP_PKEY* key;
};

/// The cause as plain sentences that say what to change, without any key or signature in them. `signature`: as it
/// is in Authorization. `key`: the merchant's, public or private, as are `other_keys`. Must be called for a
/// signature that does not match.
std::string explain_signature(const MessageParts& parts, const MessageContext& context, std::string_view signature,
                              EVP_PKEY* key, const std::vector<NamedKey>& other_keys);

/// The same of an answer: `key` is the platform's under Wechatpay-Serial, the texts are those of its headers.
std::string explain_answer_signature(std::string_view timestamp, std::string_view nonce, const std::string& body,
                                     std::string_view signature, EVP_PKEY* key,
                                     const std::vector<NamedKey>& other_keys);

/// The line in which two messages differ, as a sentence.
std::string first_difference(std::string_view signed_message, std::string_view message);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

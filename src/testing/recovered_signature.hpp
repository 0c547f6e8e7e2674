/// What the public key reveals about an RSA signature: its padding, and the hash that was signed.
#ifndef WECHATPAY_SRC_TESTING_RECOVERED_SIGNATURE_HPP
#define WECHATPAY_SRC_TESTING_RECOVERED_SIGNATURE_HPP

#include <string>
#include <string_view>

#include "src/openssl/handles.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A signature's bytes, read from a text that should be Base64 without line breaks.
struct SignatureText {
  std::string bytes;  ///< empty if the text is unreadable, or is not an RSA signature, such as a hash
  std::string fault;  ///< what is wrong with the form, as a sentence; empty for plain Base64
};

/// Also reads forms that clients produce by mistake: URL form, hex, Base64 of hex, line breaks, missing padding.
SignatureText read_signature_text(std::string_view text);

struct RecoveredSignature {
  enum class Scheme {
    another_key,   ///< no valid padding
    sha256,        ///< RSASSA-PKCS1-v1_5 with SHA-256, as WeChat Pay requires
    other_digest,  ///< RSASSA-PKCS1-v1_5 with the hash function `digest_name`
    pss,           ///< RSASSA-PSS with the hash function `digest_name`
    perhaps_pss,   ///< RSASSA-PSS of another message, or, by chance, another key. `digest_name` may have several names
    bare,          ///< PKCS#1 v1.5 padding around something other than a DigestInfo
  };
  Scheme scheme = Scheme::another_key;
  std::string digest_name;
  std::string payload;  ///< the hash without its DigestInfo; for `bare`, everything that was padded; for PSS, empty
};

/// `message`: the message that should have been signed.
RecoveredSignature recover_signature(EVP_PKEY* key, std::string_view signature, const std::string& message);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

/// What an RSA signature shows with the public key: how it was padded, and the hash that was signed.
#ifndef WECHATPAY_SRC_TESTING_RECOVERED_SIGNATURE_HPP
#define WECHATPAY_SRC_TESTING_RECOVERED_SIGNATURE_HPP

#include <string>
#include <string_view>

#include "src/openssl/handles.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A signature's bytes, read from a text that should be Base64 in one line.
struct SignatureText {
  std::string bytes;  ///< empty where the text cannot be read in any form, or is no RSA signature, as a hash
  std::string fault;  ///< what is wrong with the form, as a sentence; empty for plain Base64
};

/// Reads the forms that people write by mistake, too: URL form, hex, Base64 of hex, line breaks, lost padding.
SignatureText read_signature_text(std::string_view text);

struct RecoveredSignature {
  enum class Scheme {
    another_key,   ///< the padding does not come out
    sha256,        ///< RSASSA-PKCS1-v1_5 with SHA-256, as WeChat Pay wants it
    other_digest,  ///< RSASSA-PKCS1-v1_5 with the hash function `digest_name`
    pss,           ///< RSASSA-PSS with the hash function `digest_name`
    perhaps_pss,   ///< the same of another message, or, by chance, another key
    bare,          ///< PKCS#1 v1.5 padding around something else than a DigestInfo
  };
  Scheme scheme = Scheme::another_key;
  std::string digest_name;
  std::string payload;  ///< the hash, without its DigestInfo; of `bare`, all that was padded; of PSS, nothing
};

/// `message`: the one that should have been signed.
RecoveredSignature recover_signature(EVP_PKEY* key, std::string_view signature, const std::string& message);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

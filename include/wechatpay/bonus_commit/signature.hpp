/// The exact bytes that are signed (WECHATPAY2-SHA256-RSA2048) and the Authorization header that carries them.
#ifndef WECHATPAY_BONUS_COMMIT_SIGNATURE_HPP
#define WECHATPAY_BONUS_COMMIT_SIGNATURE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/export.hpp"
#include "wechatpay/bonus_commit/result.hpp"

namespace wechatpay {

/// \addtogroup stages
/// @{

/// Names how requests are signed, and answers, too.
inline constexpr std::string_view authorization_scheme = "WECHATPAY2-SHA256-RSA2048";

/// What one try's signature covers.
struct SignedParts {
  std::string_view method;     ///< "POST"
  std::string_view path;       ///< percent-encoded, without host
  std::int64_t timestamp = 0;  ///< Unix time in seconds; WeChat Pay refuses more than 300 s of difference
  std::string_view nonce_str;  ///< fresh for every try
  std::string_view body;       ///< as it goes over the wire
};

/// The five lines, each ended by one LF, the last one too.
inline std::string signing_message(const SignedParts& parts) {
  std::string message;
  message.reserve(parts.method.size() + parts.path.size() + parts.nonce_str.size() + parts.body.size() + 25);
  message.append(parts.method).append(1, '\n');
  message.append(parts.path).append(1, '\n');
  message.append(std::to_string(parts.timestamp)).append(1, '\n');
  message.append(parts.nonce_str).append(1, '\n');
  message.append(parts.body).append(1, '\n');
  return message;
}

/// Base64 (RFC 4648, section 4) in one line.
WECHATPAY_BONUS_COMMIT_EXPORT std::string encode_base64(std::string_view bytes);

/// The bytes of a Base64 text, or nothing if it is not exactly what encode_base64() would give.
WECHATPAY_BONUS_COMMIT_EXPORT std::optional<std::string> decode_base64(std::string_view text);

/// @}

/// 32 random characters from OpenSSL's generator, upper-case hex. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> random_nonce();

/// \addtogroup stages
/// @{

/// Whether a text can be a `nonce_str`: 32 letters and digits.
inline bool is_nonce(std::string_view text) noexcept {
  constexpr std::string_view allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return text.size() == 32 && text.find_first_not_of(allowed) == std::string_view::npos;
}

/// The value of the Authorization header: the five lines, signed. An error has the kind `signing_failed`.
inline Result<std::string> authorization(const Credentials& credentials, const SignedParts& parts) {
  auto signature = credentials.signer().sign(signing_message(parts));
  if (!signature) {
    Error error = std::move(signature).error();
    error.kind = ErrorKind::signing_failed;
    error.outcome = Outcome::not_sent;
    return error;
  }
  std::string value;
  value.reserve(600);
  value.append(authorization_scheme);
  value.append(" mchid=\"").append(credentials.mchid());
  value.append("\",nonce_str=\"").append(parts.nonce_str);
  value.append("\",signature=\"").append(encode_base64(*signature));
  value.append("\",timestamp=\"").append(std::to_string(parts.timestamp));
  value.append("\",serial_no=\"").append(credentials.serial_no()).append(1, '"');
  return value;
}

/// @}

}  // namespace wechatpay

#endif

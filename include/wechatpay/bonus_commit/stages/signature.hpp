/// The exact bytes that are signed (WECHATPAY2-SHA256-RSA2048), and the Authorization header with the signature.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_SIGNATURE_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_SIGNATURE_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The name of the signature scheme of requests and answers.
inline constexpr std::string_view authorization_scheme = "WECHATPAY2-SHA256-RSA2048";

/// What the signature of one try covers.
struct SignedParts {
  std::string_view method{};     ///< "POST"
  std::string_view path{};       ///< percent-encoded, without the host
  std::int64_t timestamp = 0;    ///< Unix time in seconds; WeChat Pay refuses it if it differs by more than 300 s
  std::string_view nonce_str{};  ///< new for every try
  std::string_view body{};       ///< as it is sent
};

/// The five lines. Each ends with one LF, including the last one.
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

/// Whether a text is a valid `nonce_str`: 32 letters and digits.
inline bool is_nonce(std::string_view text) noexcept {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
         });
}

/// What is wrong with a Signer's result; empty if it may be the signature of an RSA key of 2048 to 8192 bits.
inline std::string fault_of_signature(std::string_view signature) {
  constexpr std::string_view of_text = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/=-_: \r\n";
  const bool of_size = signature.size() >= 256 && signature.size() <= 1024;
  const bool is_text =
      of_size && signature.size() != 256 && signature.find_first_not_of(of_text) == std::string_view::npos;
  if (of_size && !is_text) return {};
  return "the Signer gave " + std::to_string(signature.size()) + (is_text ? " bytes of text" : " bytes") +
         ": it must give the signature's raw bytes, 256 for a key of 2048 bits, not Base64 or hex";
}

/// The signature of the five lines in Base64. An error has the kind `signing_failed`; nothing was sent.
WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> sign(const Credentials& credentials, const SignedParts& parts);

/// The value of the Authorization header with `signature`, the result of sign() for the same parts.
inline std::string authorization(const Credentials& credentials, const SignedParts& parts, std::string_view signature) {
  std::string value;
  value.reserve(authorization_scheme.size() + credentials.mchid().size() + parts.nonce_str.size() + signature.size() +
                credentials.serial_no().size() + 75);
  value.append(authorization_scheme);
  value.append(" mchid=\"").append(credentials.mchid());
  value.append("\",nonce_str=\"").append(parts.nonce_str);
  value.append("\",signature=\"").append(signature);
  value.append("\",timestamp=\"").append(std::to_string(parts.timestamp));
  value.append("\",serial_no=\"").append(credentials.serial_no()).append(1, '"');
  return value;
}

/// Signs the five lines and returns the value of the Authorization header. An error has the kind `signing_failed`.
inline Result<std::string> authorization(const Credentials& credentials, const SignedParts& parts) {
  return sign(credentials, parts).transform([&](const std::string& signature) {
    return authorization(credentials, parts, signature);
  });
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/signature.ipp"
#endif

#endif

/// Base64 as used in WeChat Pay's headers.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_BASE64_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_BASE64_HPP

#include <optional>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The characters of Base64: the alphabet in the order of its values, then the padding.
inline constexpr std::string_view base64_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

/// Base64 (RFC 4648, section 4) without line breaks.
WECHATPAY_BONUS_COMMIT_EXPORT std::string encode_base64(std::string_view bytes);

/// The bytes of a Base64 text; empty if it is not exactly what encode_base64() would return.
WECHATPAY_BONUS_COMMIT_EXPORT std::optional<std::string> decode_base64(std::string_view text);

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

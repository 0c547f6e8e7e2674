/// The bytes of a commit: its path and its JSON body, built once and identical in every try.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_BODY_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_BODY_HPP

#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// `value` with every byte outside RFC 3986's unreserved set as %XX in upper case.
inline std::string percent_encode(std::string_view value) {
  constexpr std::string_view unreserved = "-._~";
  std::string encoded;
  encoded.reserve(value.size());
  for (const char c : value) {
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
        unreserved.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += '%';
      append_hex(encoded, static_cast<unsigned char>(c), 2);
    }
  }
  return encoded;
}

/// The path as it is signed and sent.
inline std::string request_path(const BonusCommitRequest& request) {
  const std::string card_id = percent_encode(request.card_id);
  const std::string code = percent_encode(request.code);
  std::string path;
  path.reserve(card_id.size() + code.size() + 56);
  path.append("/v3/marketing/membercard-open/cards/").append(card_id);
  path.append("/codes/").append(code).append("/bonus/commit");
  return path;
}

/// The body as it is signed and sent: compact UTF-8 JSON with the keys in the order of WeChat Pay's page. The merchant
/// ids depend on the request's MerchantMode. Fails (`invalid_request`) only if a text is not UTF-8, which check()
/// refuses earlier. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> serialize(const BonusCommitRequest& request);

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

/// What an error answer means for the commit, and what to do about it.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_ADVICE_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_ADVICE_HPP

#include <initializer_list>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The content of an answer with a status of 300 or more.
struct ErrorAnswer {
  int status = 0;               ///< the HTTP status
  bool verified = false;        ///< it has a valid signature
  bool has_signature = false;   ///< it has a signature, valid or not
  std::string_view code{};      ///< WeChat Pay's code; empty if the body does not have WeChat Pay's form
  std::string_view message{};   ///< WeChat Pay's message; empty likewise
  std::string_view field{};     ///< the field that `detail` names
  std::string_view issue{};     ///< from `detail`
  std::string_view location{};  ///< from `detail`
};

/// Whether WeChat Pay's documents list `code` as a refusal: the general codes of APIv3 (基本规则, 2024-07-25) and those
/// of the membership card calls (2024-12-27). NOT_FOUND and similar codes are not included, since any gateway may send
/// them.
inline bool is_documented_refusal(std::string_view code) noexcept {
  for (const std::string_view known : {"PARAM_ERROR", "INVALID_REQUEST", "SIGN_ERROR", "NO_AUTH", "RESOURCE_NOT_EXISTS",
                                       "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "RATELIMIT_EXCEEDED",
                                       "RULE_LIMIT", "REQUEST_BLOCKED", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH"}) {
    if (code == known) return true;
  }
  return false;
}

/// Whether the answer is probably WeChat Pay's: it has a valid signature, or it has WeChat Pay's form and one of its
/// codes, and no signature that fails verification.
inline bool is_wechat_pays(const ErrorAnswer& answer) noexcept {
  if (answer.verified) return true;
  if (answer.has_signature || answer.message.empty()) return false;
  return is_documented_refusal(answer.code) || answer.code == "SYSTEM_ERROR" || answer.code == "SERVICE_UNAVAILABLE";
}

/// The outcome of the commit, by an answer that is not a receipt. WeChat Pay documents that the commit was not done
/// after 4xx, 502 and 503. This is believed if the answer is signed. Without a signature (a 401 never has one), it is
/// believed only for a 4xx in WeChat Pay's form with a code from its documents: a plain 4xx may come from a gateway
/// after the commit was done. It is never believed for 408 and 499, which a gateway sends when it stops waiting.
inline Outcome outcome_of(const ErrorAnswer& answer) noexcept {
  const bool client_error = answer.status >= 400 && answer.status < 500;
  const bool gave_up_waiting = answer.status == 408 || answer.status == 499;
  const bool believed = answer.verified || (client_error && !gave_up_waiting && is_wechat_pays(answer) &&
                                            is_documented_refusal(answer.code));
  const bool says_not_done = client_error || answer.status == 502 || answer.status == 503;
  return believed && says_not_done ? Outcome::refused : Outcome::unknown;
}

/// Whether `text` contains one of `words`, ignoring case. `words` are in lower case.
inline bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const std::string_view word : words) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

/// Whether a refusal concerns the caller (its headers, keys or merchant id), so that every order would be refused in
/// the same way. WeChat Pay distinguishes many of these refusals only by their message:
/// "平台证书序列号Wechatpay-Serial错误", "http header中的mchid与post payload中的mchid不匹配".
inline bool speaks_of_the_caller(const ErrorAnswer& answer) {
  if (answer.status == 401 || answer.status == 405 || answer.status == 406 || answer.status == 415) return true;
  for (const std::string_view code : {"SIGN_ERROR", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH"}) {
    if (answer.code == code) return true;
  }
  if (answer.location == "header" || answer.location == "authorization") return true;
  if (answer.location == "path" || answer.field == "card_id" || answer.field == "code") return false;
  for (const std::string_view text : {answer.message, answer.issue, answer.field}) {
    if (mentions(text, {"header", "http头", "请求头", "wechatpay-", "user-agent", "content-type", "application/json",
                        "authorization", "serial_no", "序列号", "证书", "certificate", "公钥", "public key", "签名"})) {
      return true;
    }
  }
  return false;
}

/// Whether a refusal concerns the permissions or bindings of the merchant or the sub-merchant. The other orders of that
/// merchant would be refused in the same way; those of another merchant may be accepted.
inline bool speaks_of_a_permission(const ErrorAnswer& answer) {
  if (answer.status == 403 || answer.code == "NO_AUTH" || mentions(answer.message, {"权限", "permission", "未授权"})) {
    return true;
  }
  const bool names_a_field = !answer.field.empty() || answer.location == "body" || answer.location == "path";
  if (names_a_field || mentions(answer.message, {"商户订单号", "out_trade_no"})) return false;
  return mentions(answer.message,
                  {"商户", "merchant", "mchid", "appid", "绑定", "not bound", "品牌", "brand", "开通", "not enabled"});
}

/// What to do about an answer with this outcome.
inline Remedy remedy_of(const ErrorAnswer& answer, Outcome outcome) {
  if (outcome != Outcome::refused) return Remedy::retry_later;
  const int status = answer.status;
  if (status == 408 || status == 429 || status == 499 || status >= 500) return Remedy::retry_later;
  if (status != 403 && speaks_of_the_caller(answer)) return Remedy::correct_setup;
  return speaks_of_a_permission(answer) ? Remedy::ask_wechat_pay : Remedy::correct_request;
}

/// The same advice as text for a person.
inline std::string_view advice(const ErrorAnswer& answer, Outcome outcome) {
  const int status = answer.status;
  if (outcome != Outcome::refused) {
    if (status == 429) return "it may have been done: slow down, then commit again with the same values";
    if (status == 502 || status == 503 || status == 504) {
      return "it may have been done: commit again later with the same values";
    }
    if (status < 400 || status >= 500 || is_wechat_pays(answer)) {
      return "it may have been done: commit again with the same values";
    }
    return "this may be the word of a gateway or a firewall, and the commit may have been done: see who answers there, "
           "then commit again with the same values";
  }
  switch (remedy_of(answer, outcome)) {
    case Remedy::ask_wechat_pay:
      if (status != 403 && answer.code != "NO_AUTH") {
        return "see that this merchant created the card, that its bonus service is enabled, and that the merchant ids "
               "are right and bound to the card's brand; then commit again with the same values";
      }
      return "this merchant may not use the call: apply for it with WeChat Pay's product or business contact, then "
             "commit again with the same values";
    case Remedy::correct_setup:
      if (status == 401) return "check that mchid, serial_no and private key belong together, and this machine's clock";
      return "correct the set-up, since every order would be refused so: the merchant ids and the key id that is "
             "announced in Wechatpay-Serial; then commit again with the same values";
    case Remedy::retry_later:
      return status == 429 ? "too fast: slow down, then commit again with the same values"
                           : "it was not done: commit again later with the same values";
    default: break;
  }
  if (answer.code == "INVALID_REQUEST") {
    return "check the card id and that this merchant created the card, that its bonus service is enabled, that the "
           "merchant is bound to the card's brand, and that the member's code exists and its card is not deleted";
  }
  if (status == 404) return "check the host, card_id and code: WeChat Pay knows no such resource";
  return "correct the request; the same one will be refused again";
}

/// What to do about an answer whose signature did not verify, by the reason.
constexpr Remedy remedy_of(VerificationFault fault) noexcept {
  const bool of_the_setup = fault == VerificationFault::serial_unknown ||
                            fault == VerificationFault::timestamp_out_of_range ||
                            fault == VerificationFault::signature_type_unknown;
  return of_the_setup ? Remedy::correct_setup : Remedy::retry_later;
}

/// What to do about a request without a complete answer, by the reason.
constexpr Remedy remedy_of(TransportFault fault) noexcept {
  return fault == TransportFault::tls_verification ? Remedy::correct_setup : Remedy::retry_later;
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

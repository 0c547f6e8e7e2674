/// The rules for the text fields of a request.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_CHECK_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_CHECK_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The fault of one text field; empty if there is none. Reports at most one, the most important.
inline std::vector<Fault> check_text(std::string_view field, std::string_view value, std::string_view location) {
  constexpr std::size_t most = 32;
  std::size_t characters = 0;
  std::string issue = value.empty() ? "must not be empty" : "";
  for (std::string_view rest = value; !rest.empty() && issue.empty(); ++characters) {
    const CodePoint next = first_code_point(rest);
    if (!next.valid) {
      issue = "must be valid UTF-8";
    } else if (is_control(next.value)) {
      issue = "must not hold control characters";
    } else if (is_invisible(next.value)) {
      issue = "must not hold characters that cannot be seen: it holds " + code_point_name(next.value);
    } else if (next.bytes == 4) {
      issue = "must not hold characters of four bytes in UTF-8 (emoji): WeChat Pay refuses them";
    }
    rest.remove_prefix(next.bytes);
  }
  if (issue.empty() && characters > most) issue = "must be at most 32 characters long";
  if (issue.empty() && (value.front() == ' ' || value.back() == ' ')) issue = "must not begin or end with a blank";
  if (issue.empty() && location == "path" && (value == "." || value == "..")) {
    issue = "must not be a dot segment: it would change the path";
  }
  if (issue.empty()) return {};
  return {{std::string(field), printable(value, 2 * most), std::move(issue), std::string(location)}};
}

/// Why a text is not a merchant id (1 to 32 ASCII digits); empty if it is one. Begins with a verb and does not quote
/// the text.
inline std::string mchid_fault(std::string_view id) {
  std::size_t at = 0;
  while (at < id.size() && id[at] >= '0' && id[at] <= '9') ++at;
  if (at == id.size() && at >= 1 && at <= 32) return {};
  const std::string rule = "must be the merchant id, 1 to 32 digits";
  if (id.empty()) return rule + "; it is empty";
  if (at == id.size()) return rule + "; it has " + std::to_string(id.size());
  if (id.substr(0, 2) == "wx") return rule + "; it looks like an appid";
  if (id.substr(0, 11) == "PUB_KEY_ID_") return rule + "; it is a public key's id";
  if (id.size() >= 32 && consists_of(id, hex_digits)) {
    return rule + "; it looks like a certificate's serial number";
  }
  const CodePoint other = first_code_point(id.substr(at));
  if (!other.valid) return rule + "; it is not UTF-8";
  if (other.value >= 0xFF10 && other.value <= 0xFF19) {
    return rule + "; it holds the full-width digit " + code_point_name(other.value) + ", not an ASCII digit";
  }
  if (other.value == ' ') return rule + "; it holds a blank";
  if (is_control(other.value) || is_invisible(other.value)) {
    return rule + "; it holds " + code_point_name(other.value) + ", which cannot be seen";
  }
  return rule + "; it holds other characters";
}

/// The fault of one merchant id of the body; at most one.
inline std::vector<Fault> check_mchid(std::string_view field, std::string_view value) {
  auto faults = check_text(field, value, "body");
  if (!faults.empty()) return faults;
  if (std::string issue = mchid_fault(value); !issue.empty()) {
    faults.push_back({std::string(field), printable(value, 64), std::move(issue), "body"});
  }
  return faults;
}

/// The faults of a check as the error of the call.
inline Error invalid_request(std::vector<Fault> faults) {
  Error error;
  error.kind = ErrorKind::invalid_request;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::correct_request;
  error.message = "the request was not sent:";
  for (const Fault& fault : faults) {
    error.message += (&fault == &faults.front() ? " " : "; ") + fault.field + " " + fault.issue;
    if (!fault.value.empty()) error.message += " (given: " + fault.value + ")";
  }
  error.faults = std::move(faults);
  return error;
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

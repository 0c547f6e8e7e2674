/// What an answer means: a receipt, or an error that helps.
#ifndef WECHATPAY_BONUS_COMMIT_ANSWER_HPP
#define WECHATPAY_BONUS_COMMIT_ANSWER_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wechatpay/bonus_commit/export.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/text.hpp"
#include "wechatpay/bonus_commit/verification.hpp"

namespace wechatpay {

/// \addtogroup stages
/// @{

/// What WeChat Pay says that it signed, in a 401 SIGN_ERROR.
struct SignInformation {
  std::string message;     ///< the five lines, cut off where they are long
  std::size_t length = 0;  ///< of the whole
};

/// WeChat Pay's error body. Texts are as they came; make them printable() before they go into a message.
struct ErrorBody {
  std::string code;                                 ///< such as PARAM_ERROR
  std::string message;                              ///< in words; empty where there are none
  std::string detail;                               ///< as JSON, without signatures; empty where there is none
  std::optional<Fault> fault;                       ///< the detail, where it names a field
  std::optional<SignInformation> sign_information;  ///< in a 401 SIGN_ERROR, where WeChat Pay tells
};

/// Reads a body as WeChat Pay's error, which is a JSON object with a string `code`; nothing for any other body.
/// `detail` may have any shape. Nesting deeper than 32 levels is left out. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT std::optional<ErrorBody> parse_error_body(std::string_view body);

/// Compares what WeChat Pay signed with what was signed here, and says which of the five lines differs, or that none
/// does, which leaves the key.
inline std::string explain_sign_error(const SignInformation& theirs, const SignedParts& sent) {
  constexpr const char* names[] = {"HTTP method", "path", "timestamp", "nonce_str", "body"};
  const std::string own_message = signing_message(sent);
  std::string_view own = own_message;
  std::string_view their = theirs.message;
  const bool cut = theirs.length == 0 || their.size() < theirs.length;

  for (int line = 0; line < 5 && !their.empty(); ++line) {
    const std::size_t their_end = their.find('\n');
    const std::string_view their_line = their.substr(0, their_end);
    std::string_view own_line = own.substr(0, own.find('\n'));
    own.remove_prefix(own_line.size() + 1);
    const bool last = their_end == std::string_view::npos;
    const bool same = last && cut ? own_line.substr(0, their_line.size()) == their_line : own_line == their_line;
    if (!same) {
      return "line " + std::to_string(line + 1) + " of the signed message, the " + names[line] +
             ", differs: WeChat Pay received \"" + printable(without_signatures(their_line)) +
             "\", signed here was \"" + printable(own_line) +
             "\"; something between here and WeChat Pay changes requests";
    }
    their.remove_prefix(last ? their.size() : their_end + 1);
  }
  if (theirs.length != 0 && theirs.length != own_message.size()) {
    return "the signed message has " + std::to_string(own_message.size()) + " bytes here and " +
           std::to_string(theirs.length) + " at WeChat Pay; something between here and WeChat Pay changes requests";
  }
  return "the signed message is the same on both sides, so the private key does not belong to the certificate of that "
         "serial_no";
}

/// What a merchant does about an answer of `status`, with WeChat Pay's `code` where it sent one.
inline std::string_view advice(int status, std::string_view code) {
  if (code == "PARAM_ERROR") return "correct the request; the same one will be refused again";
  if (code == "INVALID_REQUEST") {
    return "check the card id and that this merchant created the card, that its bonus service is enabled, that the "
           "merchant is bound to the card's brand, and that the member's code exists and its card is not deleted";
  }
  if (status == 401) return "check that mchid, serial_no and private key belong together, and this machine's clock";
  if (status == 403) return "this merchant may not use the call: apply for it on the merchant platform";
  if (status == 404) return "check the host, card_id and code: WeChat Pay knows no such resource";
  if (status == 429) return "too fast: slow down, then commit again with the same values";
  if (status == 502 || status == 503 || status == 504) return "commit again later with the same values";
  if (status >= 500 || status == 408 || status == 499)
    return "it may have been done: commit again with the same values";
  if (status >= 400) return "correct the request; the same one will be refused again";
  return "it may have been done: look the order up or commit again with the same values";
}

/// What became of the commit by an answer that is not a receipt. WeChat Pay says of 4xx, 502 and 503 that the commit
/// was not done. That is believed if it is signed; without a signature, which 401 never has, only of 4xx in WeChat
/// Pay's own form, since a gateway that gave up waiting says 408, 499, 502 and 503, too, and a bare 4xx may be a
/// proxy's word on something else.
inline Outcome outcome_of(int status, bool verified, bool in_wechat_pays_form) noexcept {
  const bool says_not_done = (status >= 400 && status < 500) || status == 502 || status == 503;
  const bool a_gateways_too = status == 408 || status == 499 || status >= 500;
  if (says_not_done && (verified || (in_wechat_pays_form && !a_gateways_too))) return Outcome::refused;
  return Outcome::unknown;
}

/// What to say of a clock that is off by more than a minute, before it reaches the five minutes at which everything
/// fails; empty otherwise.
inline std::string clock_warning(std::chrono::seconds offset) {
  const std::int64_t seconds = offset.count();
  if (seconds >= -60 && seconds <= 60) return {};
  return "this machine's clock is " + std::to_string(seconds < 0 ? -seconds : seconds) + " s " +
         (seconds < 0 ? "behind" : "ahead of") + " WeChat Pay's: set it by NTP, at 300 s every call will fail";
}

/// The error of an answer of 300 and more, or of a verified 2xx that is not 204.
inline Error read_error(const HttpResponse& response, bool verified, const SignedParts& sent) {
  Error error;
  error.kind = ErrorKind::unexpected_answer;
  error.outcome = outcome_of(response.status, verified, false);
  const std::string status = std::to_string(response.status);
  const auto safe = [](std::string_view text, std::size_t most) { return printable(without_signatures(text), most); };

  if (response.status == 202) {
    error.message = "WeChat Pay accepted the commit but has not processed it (202): commit again with the same values";
    return error;
  }
  if (response.status < 300) {
    error.message = "WeChat Pay answered " + status + ", and success of this endpoint is 204 alone";
  } else if (response.status < 400) {
    error.message = "answered " + status + ", a redirect to " + safe(header_value(response.headers, "Location"), 200) +
                    ", which is not followed: WeChat Pay sends none, so a proxy or a captive portal answered";
  } else if (auto body = parse_error_body(response.body)) {
    error.kind = ErrorKind::api_error;
    error.outcome = outcome_of(response.status, verified, true);
    error.code = safe(body->code, 64);
    error.wechatpay_message = safe(body->message, 1000);
    error.detail = std::move(body->detail);
    error.message = "WeChat Pay answered " + status + " " + error.code + ": " + error.wechatpay_message;
    if (body->fault) {
      Fault& fault = *body->fault;
      for (std::string* text : {&fault.field, &fault.value, &fault.issue, &fault.location}) *text = safe(*text, 300);
      error.message += " (" + fault.field + (fault.issue.empty() ? "" : ": " + fault.issue) +
                       (fault.value.empty() ? "" : ", given: " + fault.value) + ")";
      error.faults.push_back(std::move(fault));
    }
    if (body->sign_information) error.message += "; " + explain_sign_error(*body->sign_information, sent);
  } else {
    error.message = "answered " + status + " with " +
                    (response.body.empty() ? std::string("an empty body")
                                           : "a body that is not WeChat Pay's: " + safe(response.body, 200));
  }
  error.message += "; ";
  error.message += advice(response.status, error.code);
  return error;
}

/// The end of a try: a verified 204 is a receipt, everything else an error. `sent` is what the request's signature
/// covered, `now` the time with which a date in Retry-After is compared.
inline CommitResult read_answer(const HttpResponse& response, const Result<Verification>& verification,
                                const SignedParts& sent, std::chrono::system_clock::time_point now) {
  const std::string request_id = printable(without_signatures(header_value(response.headers, "Request-ID")), 100);
  if (response.status == 204 && verification) {
    return CommitReceipt{request_id,
                         verification->serial,
                         verification->timestamp,
                         verification->clock_offset,
                         1,
                         clock_warning(verification->clock_offset)};
  }
  const bool success = response.status >= 200 && response.status < 300;
  Error error;
  if (success && !verification) {
    error = verification.error();
    error.message = "answered " + std::to_string(response.status) +
                    ", but it is not proved to be WeChat Pay's: " + error.message +
                    "; it may have been done: commit again with the same values";
  } else {
    error = read_error(response, verification.has_value(), sent);
    if (!verification) {
      error.verification_fault = verification.error().verification_fault;
      // WeChat Pay does not sign what it says of a failed authentication, so there is nothing to look for there.
      if (response.status != 401) error.message += "; the answer is not verified: " + verification.error().message;
    }
  }
  if (verification) {
    const std::string warning = clock_warning(verification->clock_offset);
    if (!warning.empty()) error.message += "; " + warning;
  }
  error.clock_offset = verification ? verification->clock_offset : verification.error().clock_offset;
  error.retry_after = parse_retry_after(header_value(response.headers, "Retry-After"), now);
  error.http_status = response.status;
  error.verified = verification.has_value();
  error.request_id = request_id;
  if (!request_id.empty()) error.message += "; Request-ID " + request_id;
  return error;
}

/// @}

}  // namespace wechatpay

#endif

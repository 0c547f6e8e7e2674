/// What an answer means: a receipt, or an error with advice.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_ANSWER_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_ANSWER_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/stages/advice.hpp"
#include "wechatpay/bonus_commit/stages/retry_after.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The message that WeChat Pay says it verified, from a 401 SIGN_ERROR.
struct SignInformation {
  std::string message{};   ///< the five lines, truncated if they are long
  std::size_t length = 0;  ///< the length of the whole message
};

/// WeChat Pay's error body. Texts are unchanged; apply printable() before they go into a message.
struct ErrorBody {
  std::string code{};                                 ///< such as PARAM_ERROR
  std::string message{};                              ///< a description; empty if there is none
  std::string detail{};                               ///< as JSON that is safe to log; empty if there is none
  std::optional<Fault> fault{};                       ///< the detail, if it names a field
  std::optional<SignInformation> sign_information{};  ///< in a 401 SIGN_ERROR, if WeChat Pay sends it
};

/// Reads a body as WeChat Pay's error: a JSON object with a string `code` of visible ASCII. Empty for any other body,
/// and for a body with `code`, `message` or `detail` more than once, since JSON readers differ on which of them counts.
/// A body that would be JSON except for bytes that are not UTF-8, raw control characters or numbers out of the range of
/// a double is read as well. `detail` may have any shape. It is escaped so that it can be logged; what is nested deeper
/// than 32 levels or exceeds 4 KiB is left out. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT std::optional<ErrorBody> parse_error_body(std::string_view body);

/// Compares the message that WeChat Pay verified with the message that was signed here. Says which of the five lines
/// differs, or that none differs, so that the key is wrong.
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
    const bool same = last && cut ? starts_with(own_line, their_line) : own_line == their_line;
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

/// A warning if the clock is wrong by more than a minute; empty otherwise. All calls fail once it is wrong by five
/// minutes.
inline std::string clock_warning(std::chrono::seconds offset) {
  const std::int64_t seconds = offset.count();
  if (seconds >= -60 && seconds <= 60) return {};
  return "this machine's clock is " + std::to_string(seconds < 0 ? -seconds : seconds) + " s " +
         (seconds < 0 ? "behind" : "ahead of") + " WeChat Pay's: set it by NTP, at 300 s every call will fail";
}

/// What to quote of a body that is not WeChat Pay's: nothing if it is not text.
inline std::string quoted_body(const HttpResponse& response) {
  if (response.body.empty()) return "an empty body";
  const std::string_view encoding = header_value(response.headers, "Content-Encoding");
  if (!encoding.empty() && !same_token(encoding, "identity")) {
    return "a body in the Content-Encoding " + printable(without_signatures(encoding), 40) +
           ", which was not asked for and is not read: a proxy may have compressed it";
  }
  const std::string_view beginning = std::string_view(response.body).substr(0, 1000);
  const bool is_text = std::all_of(beginning.begin(), beginning.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r' || c == '\f';
  });
  if (!is_text) return "a body of " + std::to_string(response.body.size()) + " bytes that is no text";
  return "a body that is not WeChat Pay's: " + printable(without_signatures(response.body), 200);
}

/// Copies the content of a body in WeChat Pay's form into `error` and `answer`.
inline void take_error_body(ErrorBody body, const ErrorAnswer& seen, const SignedParts& sent, Error& error,
                            Answer& answer) {
  const auto safe = [](std::string_view text, std::size_t most) { return printable(without_signatures(text), most); };
  error.kind = ErrorKind::api_error;
  answer.code = safe(body.code, 64);
  answer.message = safe(body.message, 1000);
  answer.detail = std::move(body.detail);
  error.message = (is_wechat_pays(seen) ? "WeChat Pay answered " : "answered ") + std::to_string(seen.status) + " " +
                  answer.code + ": " + answer.message;
  if (body.fault) {
    Fault& fault = *body.fault;
    for (std::string* text : {&fault.field, &fault.value, &fault.issue, &fault.location}) *text = safe(*text, 300);
    error.message += " (" + fault.field + (fault.issue.empty() ? "" : ": " + fault.issue) +
                     (fault.value.empty() ? "" : ", given: " + fault.value) + ")";
    error.faults.push_back(std::move(fault));
  }
  if (body.sign_information) error.message += "; " + explain_sign_error(*body.sign_information, sent);
}

/// The error for an answer of 300 or more, or for a verified 2xx other than 204. `earlier` is the outcome of the call's
/// earlier tries. Copies the content of the body into `answer`, too.
inline Error read_error(const HttpResponse& response, const SignedParts& sent, Outcome earlier, Answer& answer) {
  Error error;
  error.kind = ErrorKind::unexpected_answer;
  const std::string status = std::to_string(response.status);
  if (response.status == 202) {
    error.message = "WeChat Pay accepted the commit but has not processed it (202): commit again with the same values";
    return error;
  }
  ErrorAnswer seen;
  seen.status = response.status;
  seen.verified = answer.verified();
  seen.has_signature = !header_values(response.headers, "Wechatpay-Signature").empty();
  const std::optional<ErrorBody> body = response.status < 400 ? std::nullopt : parse_error_body(response.body);
  if (body) {
    seen.code = body->code;
    seen.message = body->message;
    if (body->fault) {
      seen.field = body->fault->field;
      seen.issue = body->fault->issue;
      seen.location = body->fault->location;
    }
    take_error_body(*body, seen, sent, error, answer);
  } else if (response.status < 300) {
    error.message = "WeChat Pay answered " + status + ", and success of this endpoint is 204 alone";
  } else if (response.status < 400) {
    error.message = "answered " + status + ", a redirect to " +
                    printable(without_signatures(header_value(response.headers, "Location")), 200) +
                    ", which is not followed: WeChat Pay sends none, so a proxy or a captive portal answered";
  } else {
    error.message = "answered " + status + " with " + quoted_body(response);
  }
  error.outcome = outcome_of(seen);
  error.remedy = remedy_of(seen, error.outcome);
  // This try was refused, but an earlier try with the same values may have taken effect: only another call can settle
  // that.
  const bool contradicts = error.remedy == Remedy::correct_request && earlier == Outcome::unknown;
  if (contradicts) error.remedy = Remedy::retry_later;
  if (!contradicts) error.message.append("; ").append(advice(seen, error.outcome));
  return error;
}

/// The error for a 2xx that may not be WeChat Pay's own; `why` is the error from verify().
inline Error unproved_success(const HttpResponse& response, const Error& why) {
  Error error;
  error.kind = why.kind;
  error.remedy = remedy_of(why.verification_fault());
  error.message = "answered " + std::to_string(response.status) +
                  ", but it is not proved to be WeChat Pay's: " + why.message +
                  "; it may have been done: commit again with the same values";
  return error;
}

/// The error for an answer that is not WeChat Pay's receipt. The error's only try contains the answer.
inline Error error_of_answer(const HttpResponse& response, const Result<Verification>& verification,
                             const SignedParts& sent, std::string request_id, Outcome earlier) {
  Answer answer;
  answer.http_status = response.status;
  answer.request_id = std::move(request_id);
  if (verification) {
    answer.verification_fault = VerificationFault::none;
    answer.clock_offset = verification->clock_offset;
  } else if (const Answer* const known = verification.error().answer()) {
    answer.verification_fault = known->verification_fault;
    answer.clock_offset = known->clock_offset;
  }
  const bool success = response.status >= 200 && response.status < 300;
  Error error = success && !verification ? unproved_success(response, verification.error())
                                         : read_error(response, sent, earlier, answer);
  if (!verification && !success) {
    if (error.outcome == Outcome::unknown && remedy_of(answer.verification_fault) == Remedy::correct_setup) {
      error.remedy = Remedy::correct_setup;
    }
    // WeChat Pay does not sign its answer to a failed authentication, so a missing signature is expected here.
    if (response.status != 401) error.message += "; the answer is not verified: " + verification.error().message;
  }
  if (verification) {
    const std::string warning = clock_warning(verification->clock_offset);
    if (!warning.empty()) error.message += "; " + warning;
  }
  if (!answer.request_id.empty()) error.message += "; Request-ID " + answer.request_id;
  error.tries.emplace_back().answer = std::move(answer);
  return error;
}

/// The result of a try: a verified 204 is a receipt, everything else is an error. `sent` is what the request's
/// signature covers. `now` is the time to compare a date in Retry-After with. `earlier` is the outcome of the call's
/// earlier tries: a later try cannot undo it.
inline CommitResult read_answer(const HttpResponse& response, const Result<Verification>& verification,
                                const SignedParts& sent, std::chrono::system_clock::time_point now,
                                Outcome earlier = Outcome::not_sent) {
  std::string request_id = printable(without_signatures(header_value(response.headers, "Request-ID")), 100);
  if (response.status == 204 && verification) {
    return CommitReceipt{std::move(request_id),
                         verification->serial,
                         verification->timestamp,
                         verification->clock_offset,
                         1,
                         clock_warning(verification->clock_offset)};
  }
  Error error = error_of_answer(response, verification, sent, std::move(request_id), earlier);
  error.retry_after = parse_retry_after(header_value(response.headers, "Retry-After"), now);
  return error;
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

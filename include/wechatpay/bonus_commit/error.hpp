/// Errors: what went wrong, at which stage, and whether the commit may have taken effect.
#ifndef WECHATPAY_BONUS_COMMIT_ERROR_HPP
#define WECHATPAY_BONUS_COMMIT_ERROR_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The stage at which a call ended.
enum class ErrorKind {
  invalid_request,        ///< check() found that the request breaks the endpoint's rules; see Error::faults
  invalid_configuration,  ///< wrong credentials, platform keys or options, at start-up or when a call needs them
  signing_failed,         ///< the Signer or the generator of random numbers failed
  transport_failed,       ///< no complete answer arrived; see Error::transport_fault
  rate_limited,           ///< not sent: ClientOptions::rate_limit, or a recent 429, allows no try before the deadline
  cancelled,              ///< stopped before its end: CallOptions::stop
  unverified_answer,      ///< success without a valid WeChat Pay signature; see Answer::verification_fault
  api_error,              ///< WeChat Pay answered with an error; see Answer::code
  unexpected_answer,      ///< an answer that this endpoint does not document: a redirect, a proxy's page
  misuse,                 ///< the library was used in a way that cannot work; the message says how
  internal_error,         ///< an exception was caught, most likely out of memory
};

/// Whether the commit may have taken effect.
enum class Outcome {
  not_sent,  ///< no byte of the request was sent: nothing was committed
  refused,   ///< the answer says that the commit did not take effect
  unknown,   ///< it may have taken effect: commit again with the same values, which is safe, or look it up
};

/// What to do next. If an answer with a valid signature refuses a commit, `correct_setup` may concern only the orders
/// with the same merchant ids.
enum class Remedy {
  retry_later,          ///< commit the same values again later, which is safe: the order may be right as it is
  correct_request,      ///< correct the order, or drop it: the same values would be refused again
  correct_setup,        ///< correct credentials, keys, options, clock or CA certificates: every order would fail alike
  ask_wechat_pay,       ///< the merchant or the card lacks a permission or a binding: get it, then commit again
  correct_the_program,  ///< the library was used in a way that cannot work
};

/// Why no complete answer arrived.
enum class TransportFault {
  none,                ///< an answer arrived, or nothing was sent
  name_lookup,         ///< a host name (of the host or the proxy) could not be resolved
  connect,             ///< no connection: refused, unreachable, or refused by the proxy
  tls,                 ///< the TLS handshake failed
  tls_verification,    ///< the host's certificate is not trusted, or is another host's; never retried
  timeout,             ///< no complete answer in time
  no_free_connection,  ///< all max_connections connections were in use until the deadline
  connection_closed,   ///< the connection broke before the answer was complete
  answer_too_large,    ///< more than 64 KiB of headers or 1 MiB of body
  answer_malformed,    ///< the answer is not HTTP
  cancelled,           ///< the call was stopped
  shut_down,           ///< the transport was destroyed while the call was in progress
  other,               ///< none of these; the message has the transport's own text. Never retried
};

/// Why an answer's signature did not verify.
enum class VerificationFault {
  none,                    ///< it verified
  header_missing,          ///< one of the four Wechatpay-* headers is missing; a proxy or CDN may have removed it
  header_repeated,         ///< one of them occurs more than once
  signature_type_unknown,  ///< Wechatpay-Signature-Type is not WECHATPAY2-SHA256-RSA2048
  timestamp_malformed,     ///< Wechatpay-Timestamp is not a number
  nonce_malformed,         ///< Wechatpay-Nonce is empty, or has a control or non-ASCII character
  timestamp_out_of_range,  ///< the timestamp differs from the local clock by more than 300 s
  serial_unknown,          ///< no platform key has the serial in Wechatpay-Serial
  signature_probe,         ///< WeChat Pay tests whether answers are verified (WECHATPAY/SIGNTEST/)
  signature_malformed,     ///< the signature is not strict Base64
  signature_mismatch,      ///< the signature does not match this answer and that key
  nonce_repeated,          ///< valid, but this answer was seen before: replayed, or left over from another call
};

/// The name in words, for a message or a log line: "API error".
constexpr std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::invalid_request: return "invalid request";
    case ErrorKind::invalid_configuration: return "invalid configuration";
    case ErrorKind::signing_failed: return "signing failed";
    case ErrorKind::transport_failed: return "transport failed";
    case ErrorKind::rate_limited: return "rate limited";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::unverified_answer: return "unverified answer";
    case ErrorKind::api_error: return "API error";
    case ErrorKind::unexpected_answer: return "unexpected answer";
    case ErrorKind::misuse: return "misuse";
    case ErrorKind::internal_error: return "internal error";
  }
  return "unknown kind";
}

/// The name in words: "not sent", "refused" or "unknown".
constexpr std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::not_sent: return "not sent";
    case Outcome::refused: return "refused";
    case Outcome::unknown: return "unknown";
  }
  return "unknown";
}

/// The name in words: "retry later".
constexpr std::string_view to_string(Remedy remedy) noexcept {
  switch (remedy) {
    case Remedy::retry_later: return "retry later";
    case Remedy::correct_request: return "correct the request";
    case Remedy::correct_setup: return "correct the set-up";
    case Remedy::ask_wechat_pay: return "ask WeChat Pay";
    case Remedy::correct_the_program: return "correct the program";
  }
  return "retry later";
}

/// The name in words: "connection closed".
constexpr std::string_view to_string(TransportFault fault) noexcept {
  switch (fault) {
    case TransportFault::none: return "none";
    case TransportFault::name_lookup: return "name lookup";
    case TransportFault::connect: return "connect";
    case TransportFault::tls: return "TLS";
    case TransportFault::tls_verification: return "TLS verification";
    case TransportFault::timeout: return "timeout";
    case TransportFault::no_free_connection: return "no free connection";
    case TransportFault::connection_closed: return "connection closed";
    case TransportFault::answer_too_large: return "answer too large";
    case TransportFault::answer_malformed: return "answer malformed";
    case TransportFault::cancelled: return "cancelled";
    case TransportFault::shut_down: return "shut down";
    case TransportFault::other: return "other";
  }
  return "other";
}

/// The name in words: "timestamp out of range".
constexpr std::string_view to_string(VerificationFault fault) noexcept {
  switch (fault) {
    case VerificationFault::none: return "none";
    case VerificationFault::header_missing: return "header missing";
    case VerificationFault::header_repeated: return "header repeated";
    case VerificationFault::signature_type_unknown: return "signature type unknown";
    case VerificationFault::timestamp_malformed: return "timestamp malformed";
    case VerificationFault::nonce_malformed: return "nonce malformed";
    case VerificationFault::timestamp_out_of_range: return "timestamp out of range";
    case VerificationFault::serial_unknown: return "serial unknown";
    case VerificationFault::signature_probe: return "signature probe";
    case VerificationFault::signature_malformed: return "signature malformed";
    case VerificationFault::signature_mismatch: return "signature mismatch";
    case VerificationFault::nonce_repeated: return "nonce repeated";
  }
  return "unknown fault";
}

/// A problem with one field, in the form of the `detail` of WeChat Pay's own errors.
struct Fault {
  std::string field{};     ///< a JSON Pointer ("/bonus_value") in the body, the variable's name in the path
  std::string value{};     ///< the given value, printable, shortened if it is long
  std::string issue{};     ///< what is wrong with it
  std::string location{};  ///< "body" or "path"; WeChat Pay may name others
};

/// The answer to one try: from WeChat Pay, or from a proxy or gateway in its place.
struct Answer {
  int http_status = 0;  ///< 100 to 599

  /// Why its signature did not verify; `none` if it did.
  VerificationFault verification_fault = VerificationFault::header_missing;

  std::string code{};        ///< WeChat Pay's error code, such as PARAM_ERROR; empty if the body has another format
  std::string message{};     ///< WeChat Pay's message
  std::string detail{};      ///< WeChat Pay's `detail`: JSON of at most 4 KiB, safe to log
  std::string request_id{};  ///< Request-ID, for WeChat Pay's support; empty if there was none

  /// The local clock minus WeChat Pay's clock, if the answer tells it.
  std::optional<std::chrono::seconds> clock_offset{};

  /// Whether it has a valid WeChat Pay signature.
  bool verified() const noexcept { return verification_fault == VerificationFault::none; }
};

/// Timing and size of one try, as far as the transport reports them; zeros if it does not. As in libcurl, all times
/// except `waited` start when the try gets its turn. They are 0 for a step that was not reached, or not needed because
/// the connection was reused.
struct TransferInfo {
  std::chrono::microseconds waited{0};       ///< the time before its turn, waiting for a free connection
  std::chrono::microseconds name_lookup{0};  ///< until the host name was resolved
  std::chrono::microseconds connect{0};      ///< until the connection was established
  std::chrono::microseconds tls{0};          ///< until the TLS handshake was complete
  std::chrono::microseconds first_byte{0};   ///< until the first byte of the answer
  std::chrono::microseconds total{0};        ///< until the end of the answer
  bool connection_reused = false;            ///< the connection was reused
  std::uint64_t bytes_sent = 0;              ///< of headers and body, without TLS
  std::uint64_t bytes_received = 0;          ///< likewise
};

/// One try of a call.
struct Try {
  std::string origin{};                                   ///< "https://api.mch.weixin.qq.com"
  std::chrono::milliseconds pause{0};                     ///< the pause before this try
  std::chrono::milliseconds duration{0};                  ///< from sending to the end
  bool credited = false;                                  ///< it ended with a receipt
  Outcome outcome = Outcome::unknown;                     ///< if not: whether it may have taken effect
  TransportFault transport_fault = TransportFault::none;  ///< why no complete answer arrived
  std::optional<Answer> answer{};                         ///< the answer; nothing if no complete answer arrived
  TransferInfo transfer{};                                ///< timing and size

  /// The status of the answer; 0 if there was none.
  int http_status() const noexcept { return answer ? answer->http_status : 0; }
};

/// Why a call, or a step of the set-up, failed. Plain data: copy it, log it, store it. It never holds a private key, a
/// passphrase, an Authorization value or a signature. `not_sent` is reported only if it is known that nothing was sent;
/// otherwise the outcome is `refused` or `unknown`.
struct Error {
  ErrorKind kind = ErrorKind::internal_error;  ///< the stage at which the call ended
  Outcome outcome = Outcome::unknown;          ///< whether it may have taken effect, over all tries
  Remedy remedy = Remedy::retry_later;         ///< what to do next
  std::string message{};                       ///< for people: what happened and what to do; UTF-8, one line

  /// All faults that check() found, or the one that WeChat Pay's `detail` names.
  std::vector<Fault> faults{};

  /// Why the call has no answer: the reason of the latest try; or `cancelled` or `shut_down` if the call was ended
  /// before its first try or between two tries.
  TransportFault transport_fault = TransportFault::none;

  /// How long the server asks to wait (Retry-After), if it does.
  std::optional<std::chrono::seconds> retry_after{};

  /// Every try, in order; empty if nothing was sent. An error of a single stage has at most one try, with what is known
  /// at that stage: an error of verify() has the answer, an error of a Transport has `transfer`.
  std::vector<Try> tries{};

  /// The answer to the latest try; null if there is none. The pointer is valid as long as `tries` does not change.
  const Answer* answer() const noexcept {
    return tries.empty() || !tries.back().answer ? nullptr : &*tries.back().answer;
  }

  /// The status of that answer; 0 if there is none.
  int http_status() const noexcept { return answer() != nullptr ? answer()->http_status : 0; }

  /// Whether that answer has a valid WeChat Pay signature; false if there is no answer.
  bool verified() const noexcept { return answer() != nullptr && answer()->verified(); }

  /// Why that answer, including a refusal, did not verify; `none` if it did, or if there is no answer.
  VerificationFault verification_fault() const noexcept {
    return answer() != nullptr ? answer()->verification_fault : VerificationFault::none;
  }

  /// One line for a log: kind, outcome and message. An error of the set-up has no outcome, because no commit was
  /// started.
  std::string to_string() const {
    const bool of_the_setup = kind == ErrorKind::invalid_configuration && tries.empty();
    std::string line(wechatpay::bonus_commit::to_string(kind));
    if (!of_the_setup) line.append(" (outcome: ").append(wechatpay::bonus_commit::to_string(outcome)).append(")");
    return line.append(": ").append(message);
  }
};

/// Whether all members are equal.
/// @{
inline bool operator==(const Fault& a, const Fault& b) {
  return std::tie(a.field, a.value, a.issue, a.location) == std::tie(b.field, b.value, b.issue, b.location);
}
inline bool operator!=(const Fault& a, const Fault& b) { return !(a == b); }

inline bool operator==(const Answer& a, const Answer& b) {
  return std::tie(a.http_status, a.verification_fault, a.code, a.message, a.detail, a.request_id, a.clock_offset) ==
         std::tie(b.http_status, b.verification_fault, b.code, b.message, b.detail, b.request_id, b.clock_offset);
}
inline bool operator!=(const Answer& a, const Answer& b) { return !(a == b); }

inline bool operator==(const TransferInfo& a, const TransferInfo& b) noexcept {
  const auto members = [](const TransferInfo& info) {
    return std::tie(info.waited, info.name_lookup, info.connect, info.tls, info.first_byte, info.total,
                    info.connection_reused, info.bytes_sent, info.bytes_received);
  };
  return members(a) == members(b);
}
inline bool operator!=(const TransferInfo& a, const TransferInfo& b) noexcept { return !(a == b); }

inline bool operator==(const Try& a, const Try& b) {
  const auto members = [](const Try& one) {
    return std::tie(one.origin, one.pause, one.duration, one.credited, one.outcome, one.transport_fault, one.answer,
                    one.transfer);
  };
  return members(a) == members(b);
}
inline bool operator!=(const Try& a, const Try& b) { return !(a == b); }

inline bool operator==(const Error& a, const Error& b) {
  const auto members = [](const Error& error) {
    return std::tie(error.kind, error.outcome, error.remedy, error.message, error.faults, error.transport_fault,
                    error.retry_after, error.tries);
  };
  return members(a) == members(b);
}
inline bool operator!=(const Error& a, const Error& b) { return !(a == b); }
/// @}

/// Makes an error of the set-up, before any call.
inline Error configuration_error(std::string message) {
  Error error;
  error.kind = ErrorKind::invalid_configuration;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::correct_setup;
  error.message = std::move(message);
  return error;
}

/// Makes an error for a Signer to return: nothing was sent, and the commit may be repeated later.
inline Error signing_error(std::string message) {
  Error error;
  error.kind = ErrorKind::signing_failed;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::retry_later;
  error.message = std::move(message);
  return error;
}

WECHATPAY_BONUS_COMMIT_END

#endif

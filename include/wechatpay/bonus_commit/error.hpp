/// What went wrong, at which stage, and what became of the commit.
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
  invalid_request,        ///< check(): the request is not what the endpoint documents; see Error::faults
  invalid_configuration,  ///< credentials, platform keys or options, at start-up or when a call needs them
  signing_failed,         ///< the Signer or the source of random numbers did not deliver
  transport_failed,       ///< no complete answer arrived; see Error::transport_fault
  rate_limited,           ///< not sent: ClientOptions::rate_limit, or a recent 429, leaves no room before the deadline
  cancelled,              ///< stopped before it had ended: CallOptions::stop
  unverified_answer,      ///< an answer of success that WeChat Pay may not have sent; see Answer::verification_fault
  api_error,              ///< WeChat Pay answered with an error; see Answer::code
  unexpected_answer,      ///< an answer that this endpoint does not document: a redirect, a proxy's page
  misuse,                 ///< the library was called in a way that cannot work; the message says how
  internal_error,         ///< an exception (out of memory, most likely) was caught
};

/// What became of the commit.
enum class Outcome {
  not_sent,  ///< no byte of the request has left: nothing was committed
  refused,   ///< the answer says that it was not done
  unknown,   ///< it may have been done: commit again with the same values, which is safe, or look it up
};

/// What to do next.
enum class Remedy {
  retry_later,      ///< commit the same values again later, which is safe: the order may be right as it is
  correct_request,  ///< correct the order, or drop it: the same values would be refused again
  correct_setup,    ///< correct credentials, keys, options, clock or trust: every order would fail in the same way
  ask_wechat_pay,   ///< a merchant lacks a permission or a binding: have it given, then commit the same values again
  correct_the_program,  ///< the library was called in a way that cannot work
};

/// Why no complete answer arrived.
enum class TransportFault {
  none,                ///< an answer arrived, or nothing was sent
  name_lookup,         ///< a host name, the proxy's included, did not resolve
  connect,             ///< no connection: refused, unreachable, or the proxy would not
  tls,                 ///< the TLS handshake failed
  tls_verification,    ///< the host's certificate is not trusted or is another host's; never tried again
  timeout,             ///< no complete answer in time
  no_free_connection,  ///< all connections that may be opened were in use until the deadline
  connection_closed,   ///< the connection broke before the answer was complete
  answer_too_large,    ///< more than 64 KiB of headers or 1 MiB of body
  answer_malformed,    ///< not HTTP
  cancelled,           ///< the call was stopped
  shut_down,           ///< the transport was destroyed while the call was under way
  other,               ///< none of these; the message has the transport's own words. Never tried again
};

/// Why an answer's signature did not verify.
enum class VerificationFault {
  none,                    ///< it verified
  header_missing,          ///< one of the four Wechatpay-* headers is absent, as a proxy or CDN may cause
  header_repeated,         ///< one of them is there more than once
  signature_type_unknown,  ///< Wechatpay-Signature-Type is not WECHATPAY2-SHA256-RSA2048
  timestamp_malformed,     ///< Wechatpay-Timestamp is not a number
  nonce_malformed,         ///< Wechatpay-Nonce is empty or holds a control character or one beyond ASCII
  timestamp_out_of_range,  ///< more than 300 s from the local clock, either way
  serial_unknown,          ///< Wechatpay-Serial names none of the platform keys
  signature_probe,         ///< WeChat Pay's test whether answers are really verified (WECHATPAY/SIGNTEST/)
  signature_malformed,     ///< not strict Base64
  signature_mismatch,      ///< the signature does not belong to this answer under that key
  nonce_repeated,          ///< it is valid, but this answer has come before: a replay, or left over from another call
};

/// In words, for a message or a log line: "API error".
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

/// In words: "not sent", "refused" or "unknown".
constexpr std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::not_sent: return "not sent";
    case Outcome::refused: return "refused";
    case Outcome::unknown: return "unknown";
  }
  return "unknown";
}

/// In words: "retry later".
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

/// In words: "connection closed".
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

/// In words: "timestamp out of range".
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

/// One thing that is wrong with one field, in the shape of the `detail` of WeChat Pay's own errors.
struct Fault {
  std::string field{};     ///< a JSON Pointer ("/bonus_value") in the body, the variable's name in the path
  std::string value{};     ///< what was given, printable and cut where it is long
  std::string issue{};     ///< what is wrong with it
  std::string location{};  ///< "body" or "path"; WeChat Pay may name others
};

/// What WeChat Pay answered to one try, or what a proxy or gateway answered in its place.
struct Answer {
  int http_status = 0;  ///< 100 to 599

  /// Why its signature did not verify; `none` where it did.
  VerificationFault verification_fault = VerificationFault::header_missing;

  std::string code{};        ///< WeChat Pay's, such as PARAM_ERROR; empty where the body does not have its form
  std::string message{};     ///< WeChat Pay's own words
  std::string detail{};      ///< WeChat Pay's `detail`, as JSON of at most 4 KiB that can be logged as it is
  std::string request_id{};  ///< Request-ID; WeChat Pay's support asks for it. Empty where there was none

  /// The local clock minus WeChat Pay's, where the answer told it.
  std::optional<std::chrono::seconds> clock_offset{};

  /// Whether it carried a valid signature of WeChat Pay's.
  bool verified() const noexcept { return verification_fault == VerificationFault::none; }
};

/// How one try went over the wire, as far as the transport tells; zeros where it does not. The times after `waited`
/// begin with the try's turn, as libcurl's do, and are 0 for what was not reached, or not needed on a kept connection.
struct TransferInfo {
  std::chrono::microseconds waited{0};       ///< for a free connection
  std::chrono::microseconds name_lookup{0};  ///< until the host's name was resolved
  std::chrono::microseconds connect{0};      ///< until the connection stood
  std::chrono::microseconds tls{0};          ///< until the TLS handshake was done
  std::chrono::microseconds first_byte{0};   ///< until the first byte of the answer
  std::chrono::microseconds total{0};        ///< until its end
  bool connection_reused = false;            ///< it went over a kept connection
  std::uint64_t bytes_sent = 0;              ///< of headers and body, without TLS
  std::uint64_t bytes_received = 0;          ///< likewise
};

/// One try of a call.
struct Try {
  std::string origin{};                                   ///< the host: "https://api.mch.weixin.qq.com"
  std::chrono::milliseconds pause{0};                     ///< before it
  std::chrono::milliseconds duration{0};                  ///< from its sending to its end
  bool credited = false;                                  ///< it ended in a receipt
  Outcome outcome = Outcome::unknown;                     ///< what became of it, if not
  TransportFault transport_fault = TransportFault::none;  ///< why no complete answer arrived
  std::optional<Answer> answer{};  ///< what was answered; nothing where no complete answer arrived
  TransferInfo transfer{};         ///< how it went over the wire

  /// The status of the answer; 0 where there was none.
  int http_status() const noexcept { return answer ? answer->http_status : 0; }
};

/// Why a call, or a step of the set-up, did not succeed. Plain data: copy it, log it, keep it.
/// It never holds a private key, a passphrase, an Authorization value or a signature. Nobody is told by accident that
/// nothing was sent: that is said where it is known, and everywhere else the outcome is unknown.
struct Error {
  ErrorKind kind = ErrorKind::internal_error;  ///< the stage at which the call ended
  Outcome outcome = Outcome::unknown;          ///< what became of the commit, over all tries
  Remedy remedy = Remedy::retry_later;         ///< what to do next
  std::string message{};                       ///< for a person: what happened and what to do; UTF-8, one line

  /// check()'s, all of them; or the one that WeChat Pay's `detail` names.
  std::vector<Fault> faults{};

  /// Why the call has no answer: the reason of the latest try, or `cancelled` or `shut_down` where the call was ended
  /// before its first try or between two of them.
  TransportFault transport_fault = TransportFault::none;

  /// How long the server asked to wait (Retry-After), where it did.
  std::optional<std::chrono::seconds> retry_after{};

  /// Every try, in order; empty where nothing was sent. An error of a single stage has one at most, with what is known
  /// there: of verify() with the answer, of a Transport with `transfer`.
  std::vector<Try> tries{};

  /// What was answered to the latest try; null where there is no answer. It lives as long as `tries` is not changed.
  const Answer* answer() const noexcept {
    return tries.empty() || !tries.back().answer ? nullptr : &*tries.back().answer;
  }

  /// The status of that answer; 0 where there is none.
  int http_status() const noexcept { return answer() != nullptr ? answer()->http_status : 0; }

  /// Whether that answer carried a valid signature of WeChat Pay's; false where there is none.
  bool verified() const noexcept { return answer() != nullptr && answer()->verified(); }

  /// Why that answer, a refusal's too, did not verify; `none` where it did, and where there is none.
  VerificationFault verification_fault() const noexcept {
    return answer() != nullptr ? answer()->verification_fault : VerificationFault::none;
  }

  /// One line for a log: kind, outcome and message. An error of the set-up has no outcome, since no commit was begun.
  std::string to_string() const {
    const bool of_the_setup = kind == ErrorKind::invalid_configuration && tries.empty();
    std::string line(wechatpay::bonus_commit::to_string(kind));
    if (!of_the_setup) line.append(" (outcome: ").append(wechatpay::bonus_commit::to_string(outcome)).append(")");
    return line.append(": ").append(message);
  }
};

/// Whether all members are the same.
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

/// An error of the set-up, before any call.
inline Error configuration_error(std::string message) {
  Error error;
  error.kind = ErrorKind::invalid_configuration;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::correct_setup;
  error.message = std::move(message);
  return error;
}

WECHATPAY_BONUS_COMMIT_END

#endif

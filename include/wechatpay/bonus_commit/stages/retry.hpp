/// Whether, when and on which host to try again. Time and randomness are arguments.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_RETRY_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_RETRY_HPP

#include <chrono>
#include <cstdint>

#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/hooks.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Whether the same commit may end differently if it is tried again. True after 202, 429, 500, 502, 503 and 504; after
/// a 408 that is not WeChat Pay's (its sender has not received the request); after a 2xx that did not verify (a second
/// try settles a signature probe); after an answer that belongs to another request; and after a network failure. False
/// after a failed TLS verification, which is an attack or a configuration error; after any other answer; and after an
/// error before sending.
inline bool worth_another_try(const Error& error) noexcept {
  switch (error.kind) {
    case ErrorKind::unverified_answer: return true;
    case ErrorKind::api_error:
    case ErrorKind::unexpected_answer:
      if (error.verification_fault() == VerificationFault::nonce_repeated) return true;
      switch (error.http_status()) {
        case 202:
        case 429:
        case 500:
        case 502:
        case 503:
        case 504: return true;
        case 408: return !error.verified();
        default: return false;
      }
    case ErrorKind::transport_failed:
      switch (error.transport_fault) {
        case TransportFault::tls_verification:
        case TransportFault::no_free_connection:
        case TransportFault::cancelled:
        case TransportFault::shut_down:
        case TransportFault::other: return false;
        default: return true;
      }
    default: return false;
  }
}

/// Whether the server closed a reused connection without an answer, or with a 408, most likely before the request
/// arrived. A server may close an idle connection at any moment (RFC 9112, section 9.6). This is not a failure, so the
/// request is tried again at once.
inline bool met_stale_connection(const Try& latest) noexcept {
  const bool closed =
      latest.transport_fault == TransportFault::connection_closed && latest.transfer.bytes_received == 0;
  const bool timed_out = latest.http_status() == 408 && !latest.answer->verified();
  return latest.transfer.connection_reused && (closed || timed_out);
}

/// Whether the error counts as a failure of the host, so that the next try uses the other host.
inline bool speaks_against_host(const Error& error) noexcept {
  if (error.kind == ErrorKind::transport_failed) return worth_another_try(error);
  return error.http_status() == 502 || error.http_status() == 503 || error.http_status() == 504;
}

/// Whether the connection of this try should not be reused: no answer came, or the answer may have been left over there
/// from another request.
inline bool speaks_against_connection(const Error& error) noexcept {
  return error.kind == ErrorKind::transport_failed || error.kind == ErrorKind::unverified_answer ||
         error.http_status() == 408 || error.verification_fault() == VerificationFault::nonce_repeated;
}

/// The outcome of a call, from the outcomes of its tries. A later try cannot undo an earlier one, so one unknown
/// outcome makes the outcome of the call unknown.
constexpr Outcome worse(Outcome a, Outcome b) noexcept {
  if (a == Outcome::unknown || b == Outcome::unknown) return Outcome::unknown;
  return a == Outcome::refused || b == Outcome::refused ? Outcome::refused : Outcome::not_sent;
}

/// A random number limited to 0 to 1: below 0 counts as 0. Anything else out of range, and NaN, counts as 1, which
/// gives the longest pause.
constexpr double fraction(double random) noexcept { return random >= 0 && random <= 1 ? random : random < 0 ? 0 : 1; }

/// The longest pause after `tries` tries. The pause is a random part of it ("full jitter"), so that clients that failed
/// at the same time do not retry at the same time.
constexpr std::chrono::milliseconds longest_pause(int tries, const RetryOptions& options) noexcept {
  std::chrono::milliseconds pause = options.first_backoff;
  for (int i = 1; i < tries && pause < options.longest_backoff; ++i) pause *= 2;
  return pause < options.longest_backoff ? pause : options.longest_backoff;
}

/// Decides after `tries` tries, the last of which ended with `error`, with `left` until the deadline. `random` is
/// normalized as fraction() does. Retry-After is respected, plus a random part of a second, since many clients may get
/// the same time. If it exceeds the deadline, the call ends at once.
inline Decision decide(const Error& error, int tries, std::chrono::milliseconds left, double random,
                       const RetryOptions& options) noexcept {
  if (!worth_another_try(error)) return {};
  if (options.max_tries <= 1) return {};
  if (tries >= options.max_tries) return {false, std::chrono::milliseconds(0), "all tries are used up"};
  random = fraction(random);
  const auto longest = longest_pause(tries, options);
  std::chrono::milliseconds pause(static_cast<std::int64_t>(static_cast<double>(longest.count()) * random));
  if (error.retry_after && pause < *error.retry_after) {
    if (*error.retry_after >= left) {
      return {false, std::chrono::milliseconds(0), "Retry-After asks for a longer pause than the deadline allows"};
    }
    pause = *error.retry_after + std::chrono::milliseconds(static_cast<std::int64_t>(1000 * random));
    if (pause >= left) pause = *error.retry_after;
  }
  if (pause >= left) return {false, std::chrono::milliseconds(0), "the deadline leaves no time for another try"};
  return {true, pause, ""};
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

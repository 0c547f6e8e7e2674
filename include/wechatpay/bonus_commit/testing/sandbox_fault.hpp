/// What the sandbox can do wrong on purpose.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_FAULT_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_FAULT_HPP

#include <chrono>
#include <string>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// One fault, for one request: `SandboxFault::Kind::drop_after`, `{SandboxFault::Kind::delay, 500ms}`, `503`, or
/// `{429, "1"}`.
///
/// A request that an answer calls refused is not committed. Where an answer, or its absence, leaves that open, it is
/// committed all the same (but for drop_before), so that whoever takes it for lost is found out.
struct SandboxFault {
  /// What goes wrong.
  enum class Kind {
    none,              ///< nothing: the answer that WeChat Pay would give
    delay,             ///< that answer, after a pause
    slow,              ///< that answer, with a pause before each of its bytes
    drop_before,       ///< closes the connection, and does not read the request
    drop_after,        ///< commits, and closes the connection without an answer
    drop_half,         ///< commits, and closes the connection half way through the answer
    reset,             ///< commits, and resets the connection
    early_close,       ///< commits and answers, then closes the connection without notice
    polite_close,      ///< commits and answers, then closes the connection with TLS's close_notify
    extra_answer,      ///< commits and answers, then sends the answer once more, in a TLS record of its own
    http_status,       ///< another status, signed; 202, 500 and 504 after the commit, the others instead of it
    html,              ///< commits, and answers 502 with a gateway's HTML page
    redirect,          ///< commits, and answers 302 to a port of this machine where nobody listens
    wrong_signature,   ///< commits, and answers 204 under a signature that does not match
    unsigned_answer,   ///< commits, and answers 204 without the Wechatpay-* headers, as a proxy may leave it
    stale_timestamp,   ///< commits, and answers 204 signed as of ten minutes ago
    unknown_serial,    ///< commits, and answers 204 with the Wechatpay-Serial of a key that nobody has
    signature_probe,   ///< commits, and answers 204 with WeChat Pay's signature probe
    duplicate_header,  ///< commits, and answers 204 with Wechatpay-Timestamp twice
    garbage,           ///< commits, and answers with what is not HTTP
    large_headers,     ///< commits, and answers 204 with 80 KiB of headers
    large_body,        ///< commits, and answers 200 with 2 MiB of body
  };

  /// `pause_` is what delay and slow need.
  SandboxFault(Kind kind_ = Kind::none, std::chrono::milliseconds pause_ = std::chrono::milliseconds(0))
      : kind(kind_), pause(pause_) {}

  /// Kind::http_status. `status_` is 200 to 599, but not 204, the one success: else this throws std::invalid_argument.
  SandboxFault(int status_, std::string retry_after_ = {});

  Kind kind;                           ///< what goes wrong
  std::chrono::milliseconds pause{0};  ///< of `delay` and `slow`
  int status = 0;                      ///< of `http_status`
  std::string retry_after;             ///< Retry-After beside it, in seconds or as a date; empty: no such header
};

/// For a log: "drop-after", "delay", "503".
std::string to_string(const SandboxFault& fault);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

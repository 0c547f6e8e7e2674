/// The faults that the sandbox can simulate.
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
/// If the answer says that the request was refused, the order is not committed. If the answer, or its absence, leaves
/// that open, the order is committed (except with drop_before), so that a test finds code that treats it as not
/// committed.
struct SandboxFault {
  /// What goes wrong.
  enum class Kind {
    none,              ///< no fault: the answer that WeChat Pay would give
    delay,             ///< that answer, after a pause
    slow,              ///< that answer, with a pause before each of its bytes
    drop_before,       ///< closes the connection without reading the request
    drop_after,        ///< commits, and closes the connection without an answer
    drop_half,         ///< commits, and closes the connection half way through the answer
    reset,             ///< commits, and resets the connection
    early_close,       ///< commits and answers, then closes the connection without notice
    polite_close,      ///< commits and answers, then closes the connection with TLS's close_notify
    extra_answer,      ///< commits and answers, then sends the answer once more, in a TLS record of its own
    http_status,       ///< another status, signed; 202, 500 and 504 after the commit, the others instead of it
    html,              ///< commits, and answers 502 with a gateway's HTML page
    redirect,          ///< commits, and answers 302 to a local port that is closed
    wrong_signature,   ///< commits, and answers 204 with a signature that does not match
    unsigned_answer,   ///< commits, and answers 204 without the Wechatpay-* headers, as a proxy may leave it
    stale_timestamp,   ///< commits, and answers 204 with a signature of ten minutes ago
    unknown_serial,    ///< commits, and answers 204 with a Wechatpay-Serial of a key that does not exist
    signature_probe,   ///< commits, and answers 204 with WeChat Pay's signature probe
    duplicate_header,  ///< commits, and answers 204 with Wechatpay-Timestamp twice
    garbage,           ///< commits, and answers with bytes that are not HTTP
    large_headers,     ///< commits, and answers 204 with 80 KiB of headers
    large_body,        ///< commits, and answers 200 with 2 MiB of body
  };

  /// `pause_` is for delay and slow.
  SandboxFault(Kind kind_ = Kind::none, std::chrono::milliseconds pause_ = std::chrono::milliseconds(0))
      : kind(kind_), pause(pause_) {}

  /// A fault of Kind::http_status. `status_` is 200 to 599, except 204, the only success. Otherwise it throws
  /// std::invalid_argument.
  SandboxFault(int status_, std::string retry_after_ = {});

  Kind kind;                           ///< what goes wrong
  std::chrono::milliseconds pause{0};  ///< for `delay` and `slow`
  int status = 0;                      ///< for `http_status`
  std::string retry_after;             ///< the Retry-After header, in seconds or as a date; empty: none
};

/// The name in logs: "drop-after", "delay", "503".
std::string to_string(const SandboxFault& fault);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

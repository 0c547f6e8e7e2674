/// Options of a single call.
#ifndef WECHATPAY_BONUS_COMMIT_CALL_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CALL_OPTIONS_HPP

#include <chrono>

#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The last argument of commit() and commit_async().
struct CallOptions {
  /// The time for this call, including all tries and pauses. 0 means ClientOptions::timeout. A negative value, or one
  /// above 4 minutes, ends the call with `misuse`.
  std::chrono::milliseconds timeout{0};

  /// Stops the call as soon as possible. The call returns its result if that is known by then; otherwise it ends with
  /// an error of kind `cancelled`, whose outcome tells whether the commit may have taken effect. If the stop was
  /// requested before the call, nothing is sent. One token may be used for any number of calls.
  StopToken stop{};
};

WECHATPAY_BONUS_COMMIT_END

#endif

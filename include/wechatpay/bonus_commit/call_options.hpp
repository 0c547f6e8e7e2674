/// What one call wants otherwise than its client.
#ifndef WECHATPAY_BONUS_COMMIT_CALL_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CALL_OPTIONS_HPP

#include <chrono>

#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The last argument of each way to commit.
struct CallOptions {
  /// For this call, all tries and pauses included; 0: ClientOptions::deadline. A call with less than 0 or more than 4
  /// minutes is refused with `misuse`.
  std::chrono::milliseconds timeout{0};

  /// Ends the call as soon as that can be done: with its result where there is one by then, else with an error of kind
  /// `cancelled`, whose outcome says whether it may have been done. Where the stop has been requested before the call,
  /// nothing is sent. One token serves any number of calls.
  StopToken stop{};
};

WECHATPAY_BONUS_COMMIT_END

#endif

/// What a client tells whoever watches it, for logs and metrics.
#ifndef WECHATPAY_BONUS_COMMIT_WATCHING_HPP
#define WECHATPAY_BONUS_COMMIT_WATCHING_HPP

#include <chrono>
#include <functional>
#include <string_view>

#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/retry.hpp"

namespace wechatpay {

/// A try has ended. What it refers to lives as long as the hook runs.
struct TryEvent {
  std::string_view out_trade_no;  ///< the request's
  int number;                     ///< 1 for a call's first try
  const Try& result;              ///< how it went
  const Decision& next;           ///< whether there will be another try, and after which pause
};

/// A call has ended. What it refers to lives as long as the hook runs.
struct CallEvent {
  std::string_view out_trade_no;       ///< the request's, also where the check refused it
  const CommitResult& result;          ///< what the caller is given
  int tries;                           ///< 0 where nothing was sent
  std::chrono::milliseconds duration;  ///< from the call to its end, all pauses included
};

/// Hooks see no key, no Authorization value and no signature. They run where callbacks run (see
/// BonusCommitClient::Callback), before them; those of commit() may run on its caller's thread, and several at once. An
/// exception that a hook throws is swallowed: watching changes nothing.
struct Hooks {
  std::function<void(const TryEvent&)> on_try;    ///< once for each try
  std::function<void(const CallEvent&)> on_call;  ///< once for each call, after its tries
};

}  // namespace wechatpay

#endif

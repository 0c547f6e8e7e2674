/// What a client tells whoever watches it, for logs and metrics.
#ifndef WECHATPAY_BONUS_COMMIT_HOOKS_HPP
#define WECHATPAY_BONUS_COMMIT_HOOKS_HPP

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// What comes after a try that failed.
struct Decision {
  bool again = false;                  ///< the call goes on with another try
  std::chrono::milliseconds pause{0};  ///< before the next try
  std::string_view why_not{};          ///< where a further try would have been worth it; text that is always there
};

/// Whether all members are the same.
/// @{
inline bool operator==(const Decision& a, const Decision& b) noexcept {
  return a.again == b.again && a.pause == b.pause && a.why_not == b.why_not;
}
inline bool operator!=(const Decision& a, const Decision& b) noexcept { return !(a == b); }
/// @}

/// A try has ended. It refers to nothing outside of itself: copy it, or move it to another thread.
struct TryEvent {
  std::string out_trade_no{};  ///< the request's
  int number = 1;              ///< 1 for a call's first try
  Try result{};                ///< how it went
  Decision next{};             ///< whether there will be another try, and after which pause
};

/// A call has ended. It refers to nothing outside of itself: copy it, or move it to another thread.
struct CallEvent {
  std::string out_trade_no{};             ///< the request's, also where the check refused it
  CommitResult result = Error();          ///< what the caller is given
  int tries = 0;                          ///< 0 where nothing was sent
  std::chrono::milliseconds duration{0};  ///< from the call to its end, all pauses included
};

/// Hooks see no key, no Authorization value and no signature. They run where callbacks run (see
/// BonusCommitClient::Callback), before them; those of commit() may run on its caller's thread, and several at once. An
/// exception that a hook throws is swallowed: watching changes nothing.
struct Hooks {
  std::function<void(const TryEvent&)> on_try{};    ///< once for each try
  std::function<void(const CallEvent&)> on_call{};  ///< once for each call, after its tries
};

WECHATPAY_BONUS_COMMIT_END

#endif

/// Hooks: events of a client, for logs and metrics.
#ifndef WECHATPAY_BONUS_COMMIT_HOOKS_HPP
#define WECHATPAY_BONUS_COMMIT_HOOKS_HPP

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// What happens after a failed try.
struct Decision {
  bool again = false;                  ///< whether there will be another try
  std::chrono::milliseconds pause{0};  ///< the pause before the next try
  std::string_view why_not{};          ///< why there is none, if one could have helped; text of static lifetime
};

/// Whether all members are equal.
/// @{
inline bool operator==(const Decision& a, const Decision& b) noexcept {
  return a.again == b.again && a.pause == b.pause && a.why_not == b.why_not;
}
inline bool operator!=(const Decision& a, const Decision& b) noexcept { return !(a == b); }
/// @}

/// A try has ended. The event holds no references: you may copy it, and move it to another thread.
struct TryEvent {
  std::string out_trade_no{};  ///< the request's
  int number = 1;              ///< 1 for a call's first try
  Try result{};                ///< the result of the try
  Decision next{};             ///< whether there will be another try, and when
};

/// A call has ended. The event holds no references: you may copy it, and move it to another thread.
struct CallEvent {
  std::string out_trade_no{};             ///< the request's, even if check() refused it
  CommitResult result = Error();          ///< what the caller receives
  int tries = 0;                          ///< 0 if nothing was sent
  std::chrono::milliseconds duration{0};  ///< from the call to its end, including all pauses
};

/// Functions that observe a client. They never see a key, an Authorization value or a signature. They run on the
/// threads where callbacks run (see BonusCommitClient::Callback), before the callback. Hooks of commit() may run on its
/// calling thread, several at once. An exception that a hook throws is ignored.
struct Hooks {
  std::function<void(const TryEvent&)> on_try{};    ///< called once for each try
  std::function<void(const CallEvent&)> on_call{};  ///< called once for each call, after its tries
};

WECHATPAY_BONUS_COMMIT_END

#endif

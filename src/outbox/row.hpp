// A row of the outbox, and the settlement that is written for it.
#ifndef WECHATPAY_SRC_OUTBOX_ROW_HPP
#define WECHATPAY_SRC_OUTBOX_ROW_HPP

#include <wechatpay/bonus_commit/request.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace wechatpay::bonus_commit::outbox {

/// A row as returned by its claim.
struct Row {
  std::int64_t id = 0;
  BonusCommitRequest order{};  ///< each text is cut to 64 characters, more than the check accepts
  int attempts = 0;            ///< the number of calls made for it
  int claims = 0;              ///< the number of claims that were not handed back, including this one
  std::int64_t due = 0;        ///< since when it was due, in microseconds since 1970 by the database's clock
  std::chrono::seconds age{0};
  bool contradicted = false;  ///< the same order is done with other points
};

enum class Fate {
  done,       ///< moved to the done rows
  dead,       ///< moved to the dead rows
  wait,       ///< due again after the pause; a call was made
  hand_back,  ///< due again after the pause; no call was made, and the claim is not counted
};

/// What to do with a claimed row. It takes effect only if the row still has this token.
struct Settlement {
  std::int64_t id = 0;
  std::string token{};
  Fate fate = Fate::hand_back;
  std::chrono::milliseconds pause{0};  ///< for `wait` and `hand_back`
  std::string kind{};                  ///< for `dead`: invalid, refused, exhausted, conflict or poison
  std::string code{};                  ///< for `dead`: WeChat Pay's code
  std::string message{};               ///< printable; for `dead` and `wait`, and optional for `hand_back`
  std::string request_id{};            ///< for `done` and `dead`
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

// A row of the outbox, and what is to become of it.
#ifndef WECHATPAY_SRC_OUTBOX_ROW_HPP
#define WECHATPAY_SRC_OUTBOX_ROW_HPP

#include <wechatpay/bonus_commit/request.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace wechatpay::bonus_commit::outbox {

/// A row as its claim returned it.
struct Row {
  std::int64_t id = 0;
  BonusCommitRequest order{};  ///< each text cut to 64 characters, which are more than the check takes
  int attempts = 0;            ///< calls that were made for it
  int claims = 0;              ///< claims that were not handed back, this one included
  std::int64_t due = 0;        ///< since when it was due: microseconds since 1970 by the database's clock
  std::chrono::seconds age{0};
  bool contradicted = false;  ///< the same order is done with other points
};

enum class Fate {
  done,       ///< moved to the done rows
  dead,       ///< moved to the dead rows
  wait,       ///< due again after the pause; a call was made
  hand_back,  ///< due again after the pause; no call was made, and the claim does not count
};

/// What is to become of a claimed row. It is done only where the row still has this token.
struct Settlement {
  std::int64_t id = 0;
  std::string token{};
  Fate fate = Fate::hand_back;
  std::chrono::milliseconds pause{0};  ///< of `wait` and `hand_back`
  std::string kind{};                  ///< of `dead`: invalid, refused, exhausted, conflict or poison
  std::string code{};                  ///< WeChat Pay's, of `dead`
  std::string message{};               ///< printable, of `dead` and `wait`; of `hand_back` where there is one
  std::string request_id{};            ///< of `done` and `dead`
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

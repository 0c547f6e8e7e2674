/// The result of a commit.
#ifndef WECHATPAY_BONUS_COMMIT_RECEIPT_HPP
#define WECHATPAY_BONUS_COMMIT_RECEIPT_HPP

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>

#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The points are credited: WeChat Pay answered 204 with a valid signature.
struct CommitReceipt {
  std::string request_id{};              ///< Request-ID, for WeChat Pay's support; may be empty
  std::string serial{};                  ///< the serial or id of the platform key that signed the answer
  std::int64_t timestamp = 0;            ///< WeChat Pay's time of the answer, in Unix seconds
  std::chrono::seconds clock_offset{0};  ///< the local clock minus WeChat Pay's clock
  int tries = 1;                         ///< the number of tries
  std::string warning{};                 ///< if the local clock is off by more than a minute; else empty
};

/// Whether all members are equal.
/// @{
inline bool operator==(const CommitReceipt& a, const CommitReceipt& b) {
  const auto members = [](const CommitReceipt& one) {
    return std::tie(one.request_id, one.serial, one.timestamp, one.clock_offset, one.tries, one.warning);
  };
  return members(a) == members(b);
}
inline bool operator!=(const CommitReceipt& a, const CommitReceipt& b) { return !(a == b); }
/// @}

/// A receipt, or the error with which a commit ended.
using CommitResult = Result<CommitReceipt>;

WECHATPAY_BONUS_COMMIT_END

#endif

/// What a commit ends with.
#ifndef WECHATPAY_BONUS_COMMIT_RECEIPT_HPP
#define WECHATPAY_BONUS_COMMIT_RECEIPT_HPP

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>

#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// The points are credited: WeChat Pay answered 204 under a valid signature.
struct CommitReceipt {
  std::string request_id{};              ///< Request-ID, for WeChat Pay's support; may be empty
  std::string serial{};                  ///< the platform key that signed the answer
  std::int64_t timestamp = 0;            ///< WeChat Pay's time of the answer, Unix seconds
  std::chrono::seconds clock_offset{0};  ///< the local clock minus WeChat Pay's
  int tries = 1;                         ///< how many it took
  std::string warning{};                 ///< empty, or that this machine's clock is off by more than a minute
};

/// Whether all members are the same.
/// @{
inline bool operator==(const CommitReceipt& a, const CommitReceipt& b) {
  const auto members = [](const CommitReceipt& one) {
    return std::tie(one.request_id, one.serial, one.timestamp, one.clock_offset, one.tries, one.warning);
  };
  return members(a) == members(b);
}
inline bool operator!=(const CommitReceipt& a, const CommitReceipt& b) { return !(a == b); }
/// @}

/// A receipt, or the error that a commit ended with.
using CommitResult = Result<CommitReceipt>;

WECHATPAY_BONUS_COMMIT_END

#endif

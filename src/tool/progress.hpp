// How far a backfill or a relay is, for a person who looks on: a bar on a terminal, a line now and then elsewhere.
#ifndef WECHATPAY_SRC_TOOL_PROGRESS_HPP
#define WECHATPAY_SRC_TOOL_PROGRESS_HPP

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "src/outbox/metrics.hpp"

namespace wechatpay::bonus_commit::tool {

/// What has been done up to one moment.
struct Totals {
  std::chrono::steady_clock::time_point time{};
  std::uint64_t done = 0;          ///< orders that have ended
  std::uint64_t failed = 0;        ///< of these, and rows that are no orders
  std::uint64_t skipped = 0;       ///< rows that needed no commit
  std::uint64_t bytes = 0;         ///< of the file, read
  std::uint64_t bytes_in_all = 0;  ///< 0: not known
};

/// 1234567 as 1,234,567.
std::string with_commas(std::uint64_t number);

/// `number` of something: "1 order", "1,234 orders".
std::string counted(std::uint64_t number, const char* one, const char* several);

/// 83 s as 1:23, 7,384 s as 2:03:04.
std::string as_time(std::uint64_t seconds);

/// Remembers the last ten seconds, for the rate. Not thread-safe.
class Progress {
 public:
  /// One line for `totals`, without its end. On a terminal of `width` columns it has a bar, where there is room, and
  /// is no longer than that; 0: no terminal.
  std::string line(const Totals& totals, int width);

 private:
  std::deque<Totals> recent_;
};

/// Likewise for a relay, which has no end that is known.
class RelayProgress {
 public:
  /// One line, shorter than `width` columns.
  std::string line(const outbox::Metrics& metrics, std::chrono::steady_clock::time_point now, int width);

 private:
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> recent_;  ///< how many were credited
};

}  // namespace wechatpay::bonus_commit::tool

#endif

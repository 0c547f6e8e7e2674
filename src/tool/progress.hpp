// Shows the progress of a backfill or a relay: a bar on a terminal, otherwise a line from time to time.
#ifndef WECHATPAY_SRC_TOOL_PROGRESS_HPP
#define WECHATPAY_SRC_TOOL_PROGRESS_HPP

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "src/outbox/metrics.hpp"

namespace wechatpay::bonus_commit::tool {

/// The totals at one moment.
struct Totals {
  std::chrono::steady_clock::time_point time{};
  std::uint64_t done = 0;          ///< orders with a result
  std::uint64_t failed = 0;        ///< of these, the failures; and invalid rows
  std::uint64_t skipped = 0;       ///< rows that needed no commit
  std::uint64_t bytes = 0;         ///< bytes of the file that were read
  std::uint64_t bytes_in_all = 0;  ///< 0: not known
};

/// Formats 1234567 as 1,234,567.
std::string with_commas(std::uint64_t number);

/// Formats a number with its noun: "1 order", "1,234 orders".
std::string counted(std::uint64_t number, const char* one, const char* several);

/// Formats 83 s as 1:23 and 7,384 s as 2:03:04.
std::string as_time(std::uint64_t seconds);

/// Keeps the last ten seconds to compute the rate. Not thread-safe.
class Progress {
 public:
  /// One line for `totals`, without a line end. `width`: the columns of the terminal; the line is not longer, and has a
  /// bar if there is room. 0: no terminal.
  std::string line(const Totals& totals, int width);

 private:
  std::deque<Totals> recent_;
};

/// The same for a relay, whose total number of orders is not known.
class RelayProgress {
 public:
  /// One line, shorter than `width` columns.
  std::string line(const outbox::Metrics& metrics, std::chrono::steady_clock::time_point now, int width);

 private:
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> recent_;  ///< the credited orders
};

}  // namespace wechatpay::bonus_commit::tool

#endif

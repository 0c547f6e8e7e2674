// How long a worker waits before it polls for rows again.
#ifndef WECHATPAY_SRC_OUTBOX_POLLING_HPP
#define WECHATPAY_SRC_OUTBOX_POLLING_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace wechatpay::bonus_commit::outbox {

/// The pause after a claim. None after a full batch. Otherwise 200 ms, increased by half after each claim that found
/// nothing, up to 2 s. Each pause varies by plus or minus 25 %.
class Polling {
 public:
  std::chrono::milliseconds after(std::size_t wanted, std::size_t found, double random) {
    if (found > 0) pause_ = first;
    if (found >= wanted) return std::chrono::milliseconds(0);
    const auto pause = static_cast<double>(pause_.count()) * (0.75 + 0.5 * random);
    if (found == 0) pause_ = std::min(longest, pause_ * 3 / 2);
    return std::chrono::milliseconds(static_cast<std::int64_t>(pause));
  }

 private:
  static constexpr std::chrono::milliseconds first{200};
  static constexpr std::chrono::milliseconds longest{2000};

  std::chrono::milliseconds pause_ = first;
};

/// A rate that all workers of a merchant share, as used by a claim.
struct Pace {
  double per_second = 0;  ///< 0: no limit

  /// How many rows a claim may take: the rows of half a second, so that the next poll can make up for one that came
  /// late.
  std::size_t most_at_once() const {
    return per_second > 0 ? std::max<std::size_t>(1, static_cast<std::size_t>(per_second / 2)) : SIZE_MAX;
  }

  /// How many rows may be claimed at once after an idle time.
  std::size_t burst() const { return 2 * most_at_once(); }

  /// The time that this many rows take at this rate.
  std::chrono::microseconds time_of(std::size_t rows) const {
    return std::chrono::microseconds(static_cast<std::int64_t>(static_cast<double>(rows) / per_second * 1e6));
  }

  /// How far in the future the time of the last row may be before `rows` more are claimed at once.
  std::chrono::microseconds room_for(std::size_t rows) const { return time_of(burst() - std::min(rows, burst())); }

  /// An upper limit for the times that claims leave: a time further in the future is not valid.
  std::chrono::microseconds farthest() const { return time_of(burst()) + std::chrono::minutes(1); }

  /// How long a worker waits after it got no rows. `polling`: the pause without a rate. The result is at least the time
  /// of half a claim's rows.
  std::chrono::milliseconds pause(std::chrono::milliseconds polling) const {
    if (!(per_second > 0)) return polling;
    const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(time_of(most_at_once()) / 2);
    return std::max(polling, std::clamp(half, std::chrono::milliseconds(20), std::chrono::milliseconds(2000)));
  }
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

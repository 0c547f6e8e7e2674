// How long a worker waits before it asks for rows again.
#ifndef WECHATPAY_SRC_OUTBOX_POLLING_HPP
#define WECHATPAY_SRC_OUTBOX_POLLING_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace wechatpay::bonus_commit::outbox {

/// The pause after a claim: none after a full batch; else 200 ms, half as long again after each claim that found
/// nothing, to 2 s; 25 % more or less.
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

/// A rate that all workers of a merchant share, as a claim uses it.
struct Pace {
  double per_second = 0;  ///< 0: no limit

  /// How many rows a claim may take: half a second's, so that what one poll misses the next one makes up for.
  std::size_t most_at_once() const {
    return per_second > 0 ? std::max<std::size_t>(1, static_cast<std::size_t>(per_second / 2)) : SIZE_MAX;
  }

  /// How many rows may be claimed at once after a rest.
  std::size_t burst() const { return 2 * most_at_once(); }

  /// How long a worker waits that was given nothing: until half a claim's rows have their time.
  std::chrono::milliseconds pause() const {
    const double seconds = static_cast<double>(most_at_once()) / per_second / 2;
    return std::clamp(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)),
                      std::chrono::milliseconds(20), std::chrono::milliseconds(2000));
  }
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

/// The request rate of a client over all its calls.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_RATE_LIMITER_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_RATE_LIMITER_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/stages/retry.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// How long a 429 pauses a client.
constexpr std::chrono::milliseconds pause_after_429(const Error& error, const RateLimit& limit) noexcept {
  const std::chrono::milliseconds pause = error.retry_after ? *error.retry_after : std::chrono::seconds(1);
  return pause < limit.longest_pause ? pause : limit.longest_pause;
}

/// The error of a call that gets no place in the rate limit before its deadline.
inline Error rate_limited() {
  Error error;
  error.kind = ErrorKind::rate_limited;
  error.outcome = Outcome::not_sent;
  error.message =
      "not sent: ClientOptions::rate_limit, or the pause after a 429, leaves no room before the deadline; commit again "
      "later, or with fewer calls at a time";
  return error;
}

/// Assigns each request its time: a token bucket from which places are reserved in advance, and a pause after a 429.
/// Thread-safe and lock-free.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;  ///< the clock of all times here

  /// Starts with a full burst available. Takes a rate limit that has been checked.
  explicit RateLimiter(const RateLimit& limit)
      : interval_(limit.per_second > 0 ? static_cast<std::int64_t>(1e9 / limit.per_second) : 0),
        allowance_(interval_ * (limit.burst - 1)) {}
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  /// Whether requests are paused. Only then is a random number needed.
  bool paused(Clock::time_point now) const noexcept { return ticks(now) < paused_until_; }

  /// The time to send a request that is ready at `ready`, which is not before `now`. Empty if that would be after
  /// `latest`; then no place is taken. `random`, normalized as fraction() does, spreads the requests after a pause.
  std::optional<Clock::time_point> reserve(Clock::time_point now, Clock::time_point ready, Clock::time_point latest,
                                           double random) noexcept {
    const std::int64_t present = ticks(now);
    const std::int64_t resumes = paused_until_;
    std::int64_t open = present;
    if (present < resumes) {
      const std::int64_t spread = resumes - present < longest_spread ? resumes - present : longest_spread;
      open = resumes;
      if (interval_ == 0 && ticks(ready) < resumes)
        open += static_cast<std::int64_t>(static_cast<double>(spread) * fraction(random));
    }
    std::int64_t full = full_at_.load();
    while (true) {
      const std::int64_t place = interval_ == 0 || full - allowance_ < open ? open : full - allowance_;
      const std::int64_t moment = place < ticks(ready) ? ticks(ready) : place;
      if (moment > ticks(latest)) return std::nullopt;
      const std::int64_t next = (full < open ? open : full) + interval_;
      if (interval_ == 0 || full_at_.compare_exchange_weak(full, next)) {
        return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(moment)));
      }
    }
  }

  /// No request is sent before `until`.
  void pause(Clock::time_point until) noexcept {
    std::int64_t before = paused_until_.load();
    while (before < ticks(until) && !paused_until_.compare_exchange_weak(before, ticks(until))) {
    }
  }

 private:
  static constexpr std::int64_t longest_spread = 1000000000;
  static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::min)() / 2;

  static std::int64_t ticks(Clock::time_point time) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }

  const std::int64_t interval_;   ///< between two requests, in nanoseconds
  const std::int64_t allowance_;  ///< how far ahead of that rate the burst may be, in nanoseconds
  std::atomic<std::int64_t> full_at_{never};
  std::atomic<std::int64_t> paused_until_{never};
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

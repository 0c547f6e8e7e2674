/// The request rate of a client over all its calls.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_RATE_LIMITER_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_RATE_LIMITER_HPP

#include <algorithm>
#include <chrono>
#include <mutex>
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
/// Thread-safe.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;  ///< the clock of all times here

  /// Starts with a full burst available. Takes a rate limit that has been checked.
  explicit RateLimiter(const RateLimit& limit)
      : interval_(limit.per_second > 0 ? std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double, std::nano>(1e9 / limit.per_second))
                                       : Clock::duration(0)),
        allowance_(interval_ * (limit.burst - 1)) {}
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  /// Whether requests are paused. Only then is a random number needed.
  bool paused(Clock::time_point now) const noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    return now < paused_until_;
  }

  /// The time to send a request that is ready at `ready`, which is not before `now`. Empty if that would be after
  /// `latest`; then no place is taken. `random`, normalized as fraction() does, spreads the requests after a pause.
  std::optional<Clock::time_point> reserve(Clock::time_point now, Clock::time_point ready, Clock::time_point latest,
                                           double random) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool limited = interval_ > Clock::duration(0);
    Clock::time_point open = now;
    if (now < paused_until_) {
      open = paused_until_;
      if (!limited && ready < paused_until_) {
        const Clock::duration spread = (std::min)(paused_until_ - now, longest_spread);
        open += std::chrono::duration_cast<Clock::duration>(spread * fraction(random));
      }
    }
    const Clock::time_point place = limited && open + allowance_ < full_at_ ? full_at_ - allowance_ : open;
    const Clock::time_point moment = (std::max)(place, ready);
    if (moment > latest) return std::nullopt;
    full_at_ = (std::max)(full_at_, open) + interval_;
    return moment;
  }

  /// No request is sent before `until`.
  void pause(Clock::time_point until) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    paused_until_ = (std::max)(paused_until_, until);
  }

 private:
  static constexpr Clock::duration longest_spread = std::chrono::seconds(1);

  const Clock::duration interval_;   ///< between two requests; 0: no limit
  const Clock::duration allowance_;  ///< how far ahead of that rate the burst may be
  mutable std::mutex mutex_;         ///< guards the rest
  Clock::time_point full_at_ = (Clock::time_point::min)();
  Clock::time_point paused_until_ = (Clock::time_point::min)();
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

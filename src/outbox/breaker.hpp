// Stops a worker from calling in vain while WeChat Pay, or the way to it, fails.
#ifndef WECHATPAY_SRC_OUTBOX_BREAKER_HPP
#define WECHATPAY_SRC_OUTBOX_BREAKER_HPP

#include <algorithm>
#include <chrono>

namespace wechatpay::bonus_commit::outbox {

/// Open at the start: one call alone shows that calls can succeed. After 20 failures in a row it opens again, and one
/// call alone probes, at pauses from 1 s, doubled each time, to 60 s. One thread's.
class Breaker {
 public:
  using Clock = std::chrono::steady_clock;

  bool closed() const { return closed_; }

  /// Whether it is open since calls fail: not only since none was made yet.
  bool failing() const { return !closed_ && pause_ != first_pause; }

  /// Whether calls have succeeded for long, and the latest failure stands alone: then it says something about its
  /// order. While WeChat Pay recovers from an outage, it does not.
  bool others_succeed(Clock::time_point now) const {
    return closed_ && failures_ <= 1 && now - closed_since_ >= recovery;
  }

  /// Whether a call may start now, when `under_way` others have.
  bool admits(Clock::time_point now, std::size_t under_way) const {
    return closed_ || (under_way == 0 && now >= next_probe_);
  }

  /// When the next probe may start; meaningful while it is open.
  Clock::time_point next_probe() const { return next_probe_; }

  /// WeChat Pay answered a call, and not with a failure of its own.
  void answered(Clock::time_point now) {
    if (!closed_) closed_since_ = now;
    closed_ = true;
    failures_ = 0;
    pause_ = first_pause;
  }

  /// A call failed. Returns whether that opened it.
  bool failed(Clock::time_point now) {
    if (closed_ && ++failures_ < most_failures) return false;
    const bool opened = closed_;
    if (!opened && now < next_probe_) return false;  // it began before the breaker opened
    closed_ = false;
    next_probe_ = now + pause_;
    pause_ = std::min(2 * pause_, longest_pause);
    return opened;
  }

 private:
  static constexpr std::chrono::minutes recovery{10};
  static constexpr int most_failures = 20;
  static constexpr std::chrono::seconds first_pause{1};
  static constexpr std::chrono::seconds longest_pause{60};

  bool closed_ = false;
  Clock::time_point closed_since_{};
  int failures_ = 0;
  std::chrono::seconds pause_ = first_pause;
  Clock::time_point next_probe_ = Clock::time_point::min();
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

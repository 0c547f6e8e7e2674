// A circuit breaker: limits a worker to probes while WeChat Pay or the network fails.
#ifndef WECHATPAY_SRC_OUTBOX_BREAKER_HPP
#define WECHATPAY_SRC_OUTBOX_BREAKER_HPP

#include <algorithm>
#include <chrono>

namespace wechatpay::bonus_commit::outbox {

/// Open at the start, until the first call is answered. It opens again after 20 failures in a row. While it is open,
/// only one call at a time is made, as a probe. The pause between probes starts at 1 s and doubles each time, up to 60
/// s. Not thread-safe: used by one thread only.
class Breaker {
 public:
  using Clock = std::chrono::steady_clock;

  bool closed() const { return closed_; }

  /// Whether it is open because calls fail, not because no call was made yet.
  bool failing() const { return !closed_ && pause_ != first_pause; }

  /// Whether calls have succeeded for at least 10 minutes, with at most one failure since the last success. Then a
  /// failure says something about its order. While WeChat Pay recovers from an outage, it does not.
  bool others_succeed(Clock::time_point now) const {
    return closed_ && failures_ <= 1 && now - closed_since_ >= recovery;
  }

  /// Whether a call may start now, while `under_way` other calls are in progress.
  bool admits(Clock::time_point now, std::size_t under_way) const {
    return closed_ || (under_way == 0 && now >= next_probe_);
  }

  /// When the next probe may start. Meaningful only while the breaker is open.
  Clock::time_point next_probe() const { return next_probe_; }

  /// Reports a call that WeChat Pay answered with something other than a failure of its own.
  void answered(Clock::time_point now) {
    if (!closed_) closed_since_ = now;
    closed_ = true;
    failures_ = 0;
    pause_ = first_pause;
  }

  /// Reports a call that failed. Returns whether this failure opened the breaker.
  bool failed(Clock::time_point now) {
    if (closed_ && ++failures_ < most_failures) return false;
    const bool opened = closed_;
    if (!opened && now < next_probe_) return false;  // the call began before the breaker opened
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

// A steady clock that keeps running while the machine sleeps.
#ifndef WECHATPAY_SRC_OUTBOX_BOOT_CLOCK_HPP
#define WECHATPAY_SRC_OUTBOX_BOOT_CLOCK_HPP

#include <chrono>
#include <ctime>

namespace wechatpay::bonus_commit::outbox {

/// On Linux, std::chrono::steady_clock stops while the machine sleeps, so a worker could not notice that its leases
/// ended meanwhile. On systems without such a clock, this is std::chrono::steady_clock.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
#ifdef CLOCK_BOOTTIME
    timespec time{};
    if (clock_gettime(CLOCK_BOOTTIME, &time) == 0) {
      return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
    }
#endif
    return time_point(std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

/// Which host a try is sent to.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_HOSTS_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_HOSTS_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Selects the host, with a memory of failures that all calls of a client share. Thread-safe and lock-free.
class Hosts {
 public:
  using Clock = std::chrono::steady_clock;  ///< the memory holds its ticks

  /// The first origin is preferred.
  Hosts(std::vector<std::string> origins, std::chrono::milliseconds cool_down)
      : origins_(std::move(origins)), avoided_until_(origins_.size()), cool_down_(cool_down) {
    for (auto& until : avoided_until_) until = healthy;
  }

  /// The first host that is not cooling down. When the cool-down of a host ends, a single call probes it, and the
  /// others follow once the probe has succeeded. If all hosts are cooling down, the host after `last`, which is the
  /// host of the call's previous try (for a first try, any number that is not a host).
  std::size_t choose(Clock::time_point now, std::size_t last) noexcept {
    for (std::size_t i = 0; i < origins_.size(); ++i) {
      std::int64_t until = avoided_until_[i].load();
      if (until == healthy) return i;
      if (ticks(now) < until) continue;
      if (avoided_until_[i].compare_exchange_strong(until, ticks(now + cool_down_))) return i;
    }
    return last < origins_.size() ? (last + 1) % origins_.size() : 0;
  }

  /// Starts the cool-down of `host`.
  void failed(std::size_t host, Clock::time_point now) noexcept { avoided_until_[host] = ticks(now + cool_down_); }

  /// `host` works again.
  void succeeded(std::size_t host) noexcept { avoided_until_[host] = healthy; }

  /// "https://api.mch.weixin.qq.com".
  const std::string& origin(std::size_t host) const noexcept { return origins_[host]; }

 private:
  static constexpr std::int64_t healthy = (std::numeric_limits<std::int64_t>::min)();

  static std::int64_t ticks(Clock::time_point time) noexcept { return time.time_since_epoch().count(); }

  std::vector<std::string> origins_;
  std::vector<std::atomic<std::int64_t>> avoided_until_;
  std::chrono::milliseconds cool_down_;
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

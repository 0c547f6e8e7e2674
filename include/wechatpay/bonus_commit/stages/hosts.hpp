/// Which host a try is sent to.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_HOSTS_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_HOSTS_HPP

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Selects the host, with a memory of failures that all calls of a client share. Thread-safe.
class Hosts {
 public:
  using Clock = std::chrono::steady_clock;  ///< the clock of all times here

  /// The first origin is preferred.
  Hosts(std::vector<std::string> origins, std::chrono::milliseconds cool_down)
      : origins_(std::move(origins)), cool_down_(cool_down), avoided_until_(origins_.size()) {}

  /// The first host that is not cooling down. When the cool-down of a host ends, a single call probes it, and the
  /// others follow once the probe has succeeded. If all hosts are cooling down, the host after `last`, which is the
  /// host of the call's previous try (for a first try, any number that is not a host).
  std::size_t choose(Clock::time_point now, std::size_t last) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t i = 0; i < origins_.size(); ++i) {
      std::optional<Clock::time_point>& until = avoided_until_[i];
      if (!until) return i;
      if (now < *until) continue;
      until = now + cool_down_;
      return i;
    }
    return last < origins_.size() ? (last + 1) % origins_.size() : 0;
  }

  /// Starts the cool-down of `host`.
  void failed(std::size_t host, Clock::time_point now) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    avoided_until_[host] = now + cool_down_;
  }

  /// `host` works again.
  void succeeded(std::size_t host) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    avoided_until_[host].reset();
  }

  /// "https://api.mch.weixin.qq.com".
  const std::string& origin(std::size_t host) const noexcept { return origins_[host]; }

 private:
  const std::vector<std::string> origins_;
  const std::chrono::milliseconds cool_down_;
  std::mutex mutex_;                                             ///< guards the rest
  std::vector<std::optional<Clock::time_point>> avoided_until_;  ///< by host; empty: it works
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

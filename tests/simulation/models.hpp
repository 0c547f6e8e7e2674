/// An independent model of a client's promises about hosts and limits.
#ifndef WECHATPAY_TESTS_SIMULATION_MODELS_HPP
#define WECHATPAY_TESTS_SIMULATION_MODELS_HPP

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Which hosts are avoided.
class HostModel {
 public:
  HostModel(std::size_t hosts, milliseconds cool_down) : avoided_until_(hosts), cool_down_(cool_down) {}

  /// The host of the next try. A host whose cool-down has ended gets one probe. It is avoided again until the
  /// probe succeeds or another cool-down ends.
  std::size_t next(Steady now, std::optional<std::size_t> last) {
    for (std::size_t i = 0; i < avoided_until_.size(); ++i) {
      if (!avoided_until_[i]) return i;
      if (*avoided_until_[i] > now) continue;
      avoided_until_[i] = now + cool_down_;
      return i;
    }
    return last ? (*last + 1) % avoided_until_.size() : 0;
  }

  void failed(std::size_t host, Steady now) { avoided_until_[host] = now + cool_down_; }
  void served(std::size_t host) { avoided_until_[host].reset(); }

 private:
  std::vector<std::optional<Steady>> avoided_until_;
  const milliseconds cool_down_;
};

/// The earliest moment at which a request may be sent.
class RateModel {
 public:
  explicit RateModel(const RateLimit& limit) : limit_(limit) {}

  /// The earliest moment for a request that the client decides on now.
  Steady earliest(Steady now) {
    const Steady place = next_place(now);
    if (limit_.per_second > 0) full_at_ = std::max(std::max(now, paused_until_), full_at_) + interval();
    return place;
  }

  void pause(Steady now, milliseconds asked) {
    paused_until_ = std::max(paused_until_, now + std::min(asked, limit_.longest_pause));
  }

  /// Whether a call may end as rate_limited.
  bool may_refuse(Steady begun) const { return limit_.per_second > 0 || paused_until_ > begun; }

  /// Whether a call that would have to be sent before `latest` must end as rate_limited. Calls that wait for the end of
  /// a pause are spread, so any of them may.
  bool must_refuse(Steady now, Steady latest) const { return paused_until_ > now || next_place(now) >= latest; }

  /// Whether the limit holds for requests at these moments: in each interval no more than its share and one burst.
  bool holds(std::vector<Steady> moments, milliseconds tolerance) const {
    if (limit_.per_second == 0 || moments.empty()) return true;
    std::sort(moments.begin(), moments.end());
    const double spare = 1e-6 + limit_.per_second * std::chrono::duration<double>(tolerance).count();
    double left = limit_.burst;
    Steady last = moments.front();
    for (const Steady moment : moments) {
      left = std::min<double>(limit_.burst,
                              left + limit_.per_second * std::chrono::duration<double>(moment - last).count());
      last = moment;
      if (--left < -spare) return false;
    }
    return true;
  }

 private:
  std::chrono::nanoseconds interval() const {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / limit_.per_second));
  }

  Steady next_place(Steady now) const {
    const Steady open = std::max(now, paused_until_);
    return limit_.per_second == 0 ? open : std::max(open, full_at_ - interval() * (limit_.burst - 1));
  }

  const RateLimit limit_;
  Steady full_at_{};
  Steady paused_until_{};
};

}  // namespace wechatpay::bonus_commit::simulation

#endif

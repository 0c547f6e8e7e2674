/// How many commits of a batch may be in progress at once.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_PLACES_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_PLACES_HPP

#include <algorithm>
#include <cstddef>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Counts places, and decides when to wake the threads that wait for one. Waking a thread for each commit would cost
/// more CPU time than all other work on it except RSA and the network. Not thread-safe.
class Places {
 public:
  /// `all` is at least 1.
  explicit Places(std::size_t all) noexcept : all_(all), good_part_((std::max)(all / 4, std::size_t{1})) {}

  /// False if none is free.
  bool take() noexcept {
    if (taken_ == all_) return false;
    ++taken_;
    return true;
  }

  /// Gives one place back. Returns true if the waiting threads must be woken. That is when the first place becomes
  /// free, since they wait only a short time from then on, and when a quarter of the places is free.
  bool give() noexcept {
    --taken_;
    return free() == 1 || free() == good_part_;
  }

  bool any_free() const noexcept { return free() > 0; }
  bool good_part_free() const noexcept { return free() >= good_part_; }
  bool all_free() const noexcept { return taken_ == 0; }

 private:
  std::size_t free() const noexcept { return all_ - taken_; }

  const std::size_t all_;
  const std::size_t good_part_;  ///< a quarter
  std::size_t taken_ = 0;
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

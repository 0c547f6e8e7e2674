/// How many commits of a batch may be under way at a time.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_PLACES_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_PLACES_HPP

#include <algorithm>
#include <cstddef>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Counts places, and says when to wake the threads that wait for one. To wake a thread for each commit would cost more
/// than all other work on it besides RSA and the network. Not thread-safe.
class Places {
 public:
  /// `all` is 1 or more.
  explicit Places(std::size_t all) noexcept : all_(all), good_part_((std::max)(all / 4, std::size_t{1})) {}

  /// False where none is free.
  bool take() noexcept {
    if (taken_ == all_) return false;
    ++taken_;
    return true;
  }

  /// Gives one back. True where who waits is to look: when the first one is free, from which moment he knows not to
  /// wait for long, and when a good part is.
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

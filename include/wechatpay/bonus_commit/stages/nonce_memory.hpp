/// Which answers have settled a commit already.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_NONCE_MEMORY_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_NONCE_MEMORY_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Remembers the nonces of verified answers. WeChat Pay's signature does not name the request, so an answer that was
/// recorded, or left over on a connection, would settle every commit for as long as its timestamp is believed.
///
/// Memory is bounded: where it is full, the oldest nonces are forgotten, and answers as old as those are not believed
/// any more. A forgotten nonce is therefore never taken for a new one; an answer's timestamp must then be younger.
/// Thread-safe.
class NonceMemory {
 public:
  /// 4 to 8 MiB when it is full: 600 s at 800 answers a second, or 100 s at 5,000.
  static constexpr std::size_t usual_capacity = 524288;

  /// Remembers `capacity` nonces.
  explicit NonceMemory(std::size_t capacity = usual_capacity) : capacity_(capacity) {}
  NonceMemory(const NonceMemory&) = delete;
  NonceMemory& operator=(const NonceMemory&) = delete;

  /// True the first time that an answer with `nonce` comes that was signed at `timestamp`, both of which its signature
  /// covers; false each further time, and for an answer that is too old to tell. What was signed before `oldest` is
  /// forgotten. Throws std::bad_alloc; the answer must then settle nothing.
  bool first_time(std::string_view nonce, std::int64_t timestamp, std::int64_t oldest) {
    const std::uint64_t hash = hash_of(nonce);
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!by_second_.empty() && by_second_.begin()->first < oldest) forget_oldest();
    if (timestamp <= forgotten_) return false;
    std::vector<std::uint64_t>& known = by_second_[timestamp];
    if (std::find(known.begin(), known.end(), hash) != known.end()) return false;
    known.push_back(hash);
    ++size_;
    while (size_ > capacity_) forget_oldest();
    return timestamp > forgotten_;
  }

 private:
  /// FNV-1a. Only WeChat Pay chooses nonces, so 64 bits are enough: a collision of two costs one try.
  static std::uint64_t hash_of(std::string_view text) noexcept {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
  }

  void forget_oldest() noexcept {
    const auto oldest = by_second_.begin();
    size_ -= oldest->second.size();
    forgotten_ = oldest->first;
    by_second_.erase(oldest);
  }

  const std::size_t capacity_;
  std::mutex mutex_;                                              ///< guards the rest
  std::map<std::int64_t, std::vector<std::uint64_t>> by_second_;  ///< by the answers' timestamps
  std::size_t size_ = 0;                                          ///< of all seconds together
  std::int64_t forgotten_ = (std::numeric_limits<std::int64_t>::min)();
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

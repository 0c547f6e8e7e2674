/// Which answers have already been verified: each is believed once.
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

/// Remembers the nonces of verified answers. WeChat Pay's signature does not cover the request. So an answer that was
/// recorded, or left over on a connection, would settle every commit while its timestamp is accepted.
///
/// Memory is bounded. When it is full, the oldest nonces are forgotten, and answers with timestamps as old as those are
/// no longer accepted. So a forgotten nonce is never accepted as a new one. Thread-safe.
class NonceMemory {
 public:
  /// 4 to 8 MiB when it is full: 600 s at 800 answers per second, or 100 s at 5,000.
  static constexpr std::size_t usual_capacity = 524288;

  /// Remembers `capacity` nonces.
  explicit NonceMemory(std::size_t capacity = usual_capacity) : capacity_(capacity) {}
  NonceMemory(const NonceMemory&) = delete;
  NonceMemory& operator=(const NonceMemory&) = delete;

  /// True for the first answer with `nonce` that was signed at `timestamp`; the signature covers both. False for every
  /// repetition, and for an answer that is too old to decide. Nonces of answers signed before `oldest` are forgotten.
  /// Throws std::bad_alloc; the answer must then not settle a commit.
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
  /// FNV-1a. Only WeChat Pay chooses nonces, so 64 bits are enough: a collision costs one try.
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
  std::map<std::int64_t, std::vector<std::uint64_t>> by_second_;  ///< by the timestamps of the answers
  std::size_t size_ = 0;                                          ///< the total over all seconds
  std::int64_t forgotten_ = (std::numeric_limits<std::int64_t>::min)();
};

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

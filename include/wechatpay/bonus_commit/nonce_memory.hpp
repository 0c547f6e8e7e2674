/// Which answers have settled a commit already.
#ifndef WECHATPAY_BONUS_COMMIT_NONCE_MEMORY_HPP
#define WECHATPAY_BONUS_COMMIT_NONCE_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace wechatpay {

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
  /// Some 6 MiB: 600 s at 200 answers a second, or 26 s at 5,000.
  static constexpr std::size_t usual_capacity = 131072;

  /// Remembers `capacity` nonces.
  explicit NonceMemory(std::size_t capacity = usual_capacity) : capacity_(capacity) {}
  NonceMemory(const NonceMemory&) = delete;
  NonceMemory& operator=(const NonceMemory&) = delete;

  /// True the first time that an answer with `nonce` comes, which was signed at `timestamp`; false each further time,
  /// and for an answer that is too old to tell. What was signed before `oldest` is forgotten. Throws std::bad_alloc;
  /// the answer must then settle nothing.
  bool first_time(std::string_view nonce, std::int64_t timestamp, std::int64_t oldest) {
    const std::uint64_t hash = hash_of(nonce);
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!by_second_.empty() && by_second_.begin()->first < oldest) forget_oldest();
    if (timestamp <= forgotten_ || known_.count(hash) != 0) return false;
    by_second_[timestamp].push_back(hash);
    known_.insert(hash);
    while (known_.size() > capacity_) forget_oldest();
    return timestamp > forgotten_;
  }

 private:
  /// FNV-1a. Nobody but WeChat Pay chooses nonces, so 64 bits are enough: two different ones that meet cost a try.
  static std::uint64_t hash_of(std::string_view text) noexcept {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
  }

  void forget_oldest() {
    const auto oldest = by_second_.begin();
    for (const std::uint64_t hash : oldest->second) known_.erase(hash);
    forgotten_ = oldest->first;
    by_second_.erase(oldest);
  }

  const std::size_t capacity_;
  std::mutex mutex_;  ///< guards the rest
  std::unordered_set<std::uint64_t> known_;
  std::map<std::int64_t, std::vector<std::uint64_t>> by_second_;  ///< by the answers' timestamps
  std::int64_t forgotten_ = (std::numeric_limits<std::int64_t>::min)();
};

/// @}

}  // namespace wechatpay

#endif

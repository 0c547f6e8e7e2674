/// The nonces that a merchant has used.
#ifndef WECHATPAY_SRC_TESTING_NONCE_MEMORY_HPP
#define WECHATPAY_SRC_TESTING_NONCE_MEMORY_HPP

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// The nonces of the requests that a merchant has signed in the last ten minutes, at most 100,000. Thread-safe.
class NonceMemory {
 public:
  /// Stores the nonce; false if it was stored already. `now` in Unix seconds.
  bool is_new(const std::string& nonce, std::int64_t now);

  /// At most 100 nonces, the newest first.
  std::vector<std::string> latest() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::pair<std::int64_t, std::string>> in_order_;
  std::unordered_set<std::string> nonces_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

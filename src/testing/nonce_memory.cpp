#include "src/testing/nonce_memory.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

bool NonceMemory::is_new(const std::string& nonce, std::int64_t now) {
  constexpr std::int64_t seconds_believed = 600;  // from 5 minutes before the clock to 5 minutes after it
  constexpr std::size_t most = 100'000;
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!in_order_.empty() && (in_order_.front().first < now - seconds_believed || in_order_.size() > most)) {
    nonces_.erase(in_order_.front().second);
    in_order_.pop_front();
  }
  if (!nonces_.insert(nonce).second) return false;
  in_order_.emplace_back(now, nonce);
  return true;
}

std::vector<std::string> NonceMemory::latest() const {
  constexpr std::size_t most = 100;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> nonces;
  for (auto one = in_order_.rbegin(); one != in_order_.rend() && nonces.size() < most; ++one) {
    nonces.push_back(one->second);
  }
  return nonces;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

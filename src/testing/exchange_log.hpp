/// The latest requests to a sandbox and their answers, as the page shows them.
#ifndef WECHATPAY_SRC_TESTING_EXCHANGE_LOG_HPP
#define WECHATPAY_SRC_TESTING_EXCHANGE_LOG_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Thread-safe.
class ExchangeLog {
 public:
  static constexpr std::size_t most_exchanges = 1000;
  static constexpr std::size_t most_bytes = 16384;        ///< of a body, and of all headers of a request or an answer
  static constexpr std::size_t most_at_once = 100;        ///< in one document
  static constexpr std::size_t most_memory = 32U << 20U;  ///< of all exchanges as JSON; the oldest are removed first

  /// Stores an exchange; numbers start at 1. `broken`: the connection broke, so the client may not have the answer.
  void add(const HttpRequest& request, const HttpResponse& answer, const SandboxFault& fault, bool broken,
           std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

  /// The exchanges after number `after`, oldest first, as a JSON document.
  std::string since(std::uint64_t after) const;

 private:
  const std::int64_t started_ = std::chrono::system_clock::now().time_since_epoch().count();

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const std::string>> latest_;
  std::size_t bytes_ = 0;  ///< of all exchanges
  std::uint64_t count_ = 0;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

// Looks at the outbox now and then, while a relay works.
#ifndef WECHATPAY_SRC_OUTBOX_OBSERVER_HPP
#define WECHATPAY_SRC_OUTBOX_OBSERVER_HPP

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "src/outbox/metrics.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Has a thread, and for each look a connection of its own: a relay that hangs, or a pool that is small, does not
/// suffer from it.
class Observer {
 public:
  using Open = std::function<std::unique_ptr<Administration>()>;  ///< throws DatabaseError

  /// The first look is at once.
  explicit Observer(Open open, std::chrono::milliseconds pause = std::chrono::seconds(15));
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  ~Observer();

  /// The last look that succeeded. Thread-safe.
  std::optional<Observation> latest() const;

 private:
  void look();
  void run();

  const Open open_;
  const std::chrono::milliseconds pause_;
  mutable std::mutex mutex_;  ///< guards the next three
  std::condition_variable changed_;
  std::optional<Observation> latest_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

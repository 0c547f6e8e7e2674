// Reads the state of the outbox regularly while a relay works.
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

/// Has its own thread, and opens a new connection for each observation. It therefore works while the relay hangs, and
/// uses no connection of a small pool between observations.
class Observer {
 public:
  using Open = std::function<std::unique_ptr<Administration>()>;  ///< throws DatabaseError

  /// Makes the first observation immediately.
  explicit Observer(Open open, std::chrono::milliseconds pause = std::chrono::seconds(15));
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// Cuts an observation in progress.
  ~Observer();

  /// The latest observation that succeeded. Thread-safe.
  std::optional<Observation> latest() const;

 private:
  void look();
  void observe(Administration& administration);
  bool use(std::unique_ptr<Administration> administration);
  void run();

  const Open open_;
  const std::chrono::milliseconds pause_;
  mutable std::mutex mutex_;  ///< guards the next four
  std::condition_variable changed_;
  std::optional<Observation> latest_;
  std::unique_ptr<Administration> administration_;  ///< null: no observation is in progress
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

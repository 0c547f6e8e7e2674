/// The drivers of this process, so that it can exit at any moment.
#ifndef WECHATPAY_SRC_CURL_LIVE_DRIVERS_HPP
#define WECHATPAY_SRC_CURL_LIVE_DRIVERS_HPP

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "src/curl/driver.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// All drivers of the process. They are shut down when the process exits, before OpenSSL cleans up. Thread-safe. A
/// child process has its own list.
class LiveDrivers {
 public:
  /// Throws std::bad_alloc at the first use in a process.
  static LiveDrivers& get();

  /// Registers the shutdown at process exit. Call after libcurl and OpenSSL have been initialized: then their exit
  /// handlers run later. False if that fails.
  static bool watch_process() noexcept;

  /// False while the process exits. Throws std::bad_alloc.
  bool add(const std::shared_ptr<Driver>& driver);

  /// The thread of `driver`, which is about to end and cannot join itself.
  void join_later(std::thread thread, std::weak_ptr<Driver> driver) noexcept;

 private:
  struct Ending {
    std::thread thread;
    std::weak_ptr<Driver> driver;  ///< the thread keeps the driver alive
  };

  explicit LiveDrivers(LiveDrivers* parents) : parents_(parents) {}

  static void shut_down_all() noexcept;

  void join_ended();

  const unsigned process_ = stages::this_process();
  [[maybe_unused]] LiveDrivers* const parents_;  ///< for leak checkers

  // Used by any thread, with the mutex held.
  std::mutex mutex_;
  std::vector<std::weak_ptr<Driver>> drivers_;
  std::vector<Ending> ending_;
  bool exiting_ = false;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

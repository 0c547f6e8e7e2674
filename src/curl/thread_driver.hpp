/// The transport's own thread.
#ifndef WECHATPAY_SRC_CURL_THREAD_DRIVER_HPP
#define WECHATPAY_SRC_CURL_THREAD_DRIVER_HPP

#include <atomic>
#include <memory>
#include <thread>

#include "src/curl/driver.hpp"
#include "src/curl/transfer_loop.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Starts its thread with the first request. shut_down() ends the thread.
class ThreadDriver final : public Driver, public std::enable_shared_from_this<ThreadDriver> {
 public:
  explicit ThreadDriver(CurlOptions options);

  /// False if libcurl lacks a required feature.
  bool initialize() { return loop_.initialize(); }

  Mailbox::Posted post(Requests& request) noexcept override;
  void post_stop() noexcept override { mailbox_.post_stop(); }
  void shut_down() noexcept override;
  void shut_down_at_exit() noexcept override;

 private:
  Mailbox::Posted start_thread() noexcept;
  void run() noexcept;
  void sleep() noexcept;
  void wake_by(Multi* multi) noexcept;

  const CurlOptions options_;
  Mailbox mailbox_;  ///< used by any thread

  /// Used by any thread, with the mutex held.
  struct Shared {
    std::mutex mutex;
    std::condition_variable has_ended;
    std::thread thread;
    bool closed = false;
    bool ended = false;
  };
  Shared shared_;
  std::atomic<bool> started_{false};
  std::atomic<std::thread::id> thread_id_{};  ///< of the thread that completes

  TransferLoop loop_;  ///< used only by the driver's thread
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

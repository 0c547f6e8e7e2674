/// A driver on the user's event loop.
#ifndef WECHATPAY_SRC_CURL_EVENT_LOOP_DRIVER_HPP
#define WECHATPAY_SRC_CURL_EVENT_LOOP_DRIVER_HPP

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "src/curl/driver.hpp"
#include "src/curl/transfer_loop.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Runs a turn of the transfer loop each time the user's loop calls.
class EventLoopDriver final : public Driver,
                              private SocketWatcher,
                              public std::enable_shared_from_this<EventLoopDriver> {
 public:
  explicit EventLoopDriver(CurlOptions options);

  /// False if libcurl lacks a required feature, or memory is short.
  bool initialize();

  Mailbox::Posted post(Requests& request) noexcept override { return mailbox_.post(request); }
  void post_stop() noexcept override { mailbox_.post_stop(); }
  void shut_down() noexcept override;
  void shut_down_at_exit() noexcept override;

 private:
  bool post_turn() noexcept;
  void turn(curl_socket_t socket, int events) noexcept;
  void end(Mail mail) noexcept;
  void set_timer() noexcept;
  bool watch(curl_socket_t socket, int what) noexcept override;
  void note_timer(TimePoint moment) noexcept override { libcurl_timer_ = moment; }

  const CurlOptions options_;
  const unsigned process_;
  Mailbox mailbox_;  ///< used by any thread

  /// Held by the thread that runs a turn, so also during completions. Otherwise it is locked only to shut down.
  std::mutex turn_;
  std::atomic<std::thread::id> turning_{};  ///< the thread that holds it

  // Used by the loop's thread, all but timer_ with turn_ held.
  EventLoop* loop_;  ///< null once it must not be used any more
  TransferLoop transfers_;
  bool ended_ = false;
  TimePoint libcurl_timer_ = never;
  TimePoint timer_ = never;  ///< the time set in the user's loop
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// Runs the transfer loop.
#ifndef WECHATPAY_SRC_CURL_DRIVER_HPP
#define WECHATPAY_SRC_CURL_DRIVER_HPP

#include "src/curl/mailbox.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Accepts requests from any thread and completes them on its own thread. Outlives its CurlTransport if that is
/// destroyed on the driver's thread.
class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;

  /// Takes over `request`, or returns why not.
  virtual Mailbox::Posted post(Requests& request) noexcept = 0;

  /// Checks for requests whose stop was requested.
  virtual void post_stop() noexcept = 0;

  /// Completes all requests and accepts no more. Waits for that, unless it runs on the thread that completes.
  virtual void shut_down() noexcept = 0;

  /// The same while the process exits. It does not use the user's event loop. Within a completion it runs at once,
  /// since that completion will not return.
  virtual void shut_down_at_exit() noexcept = 0;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

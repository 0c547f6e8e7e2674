/// Who runs the transfer loop.
#ifndef WECHATPAY_SRC_CURL_DRIVER_HPP
#define WECHATPAY_SRC_CURL_DRIVER_HPP

#include "src/curl/mailbox.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Takes requests from any thread and completes them on its own. Outlives its CurlTransport where that is destroyed on
/// the driver's thread.
class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;

  /// Takes over `request`, or says why not.
  virtual Mailbox::Posted post(Requests& request) noexcept = 0;

  /// Looks for requests whose stop is asked for.
  virtual void post_stop() noexcept = 0;

  /// Completes everything and takes no more. Waits for that, but on the thread that completes.
  virtual void shut_down() noexcept = 0;

  /// The same while the process ends: without the user's event loop, and at once even within a completion, which will
  /// not be returned from.
  virtual void shut_down_at_exit() noexcept = 0;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

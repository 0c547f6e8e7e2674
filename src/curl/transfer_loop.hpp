/// The rounds of the transfer loop: takes requests in, lets libcurl work, and completes requests.
#ifndef WECHATPAY_SRC_CURL_TRANSFER_LOOP_HPP
#define WECHATPAY_SRC_CURL_TRANSFER_LOOP_HPP

#include <memory>

#include "src/curl/mailbox.hpp"
#include "src/curl/multi.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Everything between the mailbox and libcurl. Owned by the driver's thread. When a completion is called, neither a
/// libcurl function nor a loop over this object's own lists is on the stack.
class TransferLoop {
 public:
  /// `multi_changed` is called with the new multi handle, or null, before the old one is destroyed.
  TransferLoop(const CurlOptions& options, SocketWatcher* watcher, std::function<void(Multi*)> multi_changed);

  /// False if libcurl lacks a required feature.
  bool initialize();

  /// Does one round of work. With a watcher: on `socket`, which is ready for `events`. True if there may be more work:
  /// when a transfer has ended, libcurl may have read answers to others already, of which no socket tells.
  bool round(Mail mail, curl_socket_t socket = CURL_SOCKET_TIMEOUT, int events = 0) noexcept;

  /// When there will be work if no mail comes in and no socket becomes ready before.
  TimePoint next_moment() const noexcept;

  /// Completes all requests with `fault`: those in progress with one message, those not sent with the other.
  void complete_all(TransportFault fault, const char* under_way, const char* unsent) noexcept;

  /// Completes all requests, here and in `mail`, with shut_down, and releases everything of libcurl. Must be the last
  /// call.
  void end(Mail mail) noexcept;

  /// Null while there are no transfers and no connections.
  Multi* multi() const noexcept { return multi_.get(); }

 private:
  void start_and_expire() noexcept;
  void start(RequestQueue::Action& action, TimePoint now) noexcept;
  void end_stopped() noexcept;
  TimePoint closes_connections() const noexcept;
  void close_idle_connections() noexcept;

  const CurlOptions& options_;
  SocketWatcher* const watcher_;
  const std::function<void(Multi*)> multi_changed_;
  ShareHandle share_;  ///< DNS results and TLS sessions, which outlive the connections
  RequestQueue queue_;
  std::unique_ptr<Multi> multi_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

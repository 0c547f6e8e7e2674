/// One round of work after the other: requests in, libcurl's work, completions out.
#ifndef WECHATPAY_SRC_CURL_TRANSFER_LOOP_HPP
#define WECHATPAY_SRC_CURL_TRANSFER_LOOP_HPP

#include <memory>

#include "src/curl/mailbox.hpp"
#include "src/curl/multi.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// All that happens between the mailbox and libcurl. Owned by the driver's thread. Completions are called with none of
/// libcurl's functions, nor a loop over this object's own lists, on the stack.
class TransferLoop {
 public:
  /// `multi_changed` is called with the new multi handle, or null, before the old one is destroyed.
  TransferLoop(const CurlOptions& options, SocketWatcher* watcher, std::function<void(Multi*)> multi_changed);

  /// False if libcurl cannot do what is needed.
  bool initialize();

  /// Does what there is to do; with a watcher, on `socket`, which is ready for `events`. True if there may be more.
  bool round(Mail mail, curl_socket_t socket = CURL_SOCKET_TIMEOUT, int events = 0) noexcept;

  /// When there will be something to do, if nothing comes in and no socket gets ready before.
  TimePoint next_moment() const noexcept;

  /// Completes everything with `fault`: what is under way with one message, what has not been sent with the other.
  void complete_all(TransportFault fault, const char* under_way, const char* unsent) noexcept;

  /// Completes everything that is here or in `mail` with shut_down, and lets go of all that is libcurl's. The last
  /// call.
  void end(Mail mail) noexcept;

  /// Null while there are neither transfers nor connections.
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
  ShareHandle share_;  ///< names and TLS sessions, which outlive the connections
  RequestQueue queue_;
  std::unique_ptr<Multi> multi_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// libcurl's multi handle and its transfers.
#ifndef WECHATPAY_SRC_CURL_MULTI_HPP
#define WECHATPAY_SRC_CURL_MULTI_HPP

#include <list>
#include <memory>

#include "src/curl/transfer.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Watches libcurl's sockets and timer instead of libcurl.
class SocketWatcher {
 public:
  SocketWatcher() = default;
  SocketWatcher(const SocketWatcher&) = delete;
  SocketWatcher& operator=(const SocketWatcher&) = delete;
  virtual ~SocketWatcher() = default;

  /// `what` is CURL_POLL_IN or another of these constants. Returns false if the socket cannot be watched.
  virtual bool watch(curl_socket_t socket, int what) noexcept = 0;

  /// Reports the latest time at which libcurl must be called.
  virtual void note_timer(TimePoint moment) noexcept = 0;
};

/// Owned by the driver's thread. Its destructor closes all connections.
class Multi {
 public:
  /// Null if libcurl lacks memory, a file descriptor (it could not be woken then) or an option. If there is a
  /// `watcher`, it must outlive this object, and wait() must not be called. Throws std::bad_alloc.
  static std::unique_ptr<Multi> make(const CurlOptions& options, CURLSH* share, RequestQueue& queue,
                                     SocketWatcher* watcher);
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  /// Hands `request` to libcurl. Returns why not if that fails. Throws std::bad_alloc, without taking the request.
  const char* start(Requests& request, bool fresh_connection, TimePoint now);

  /// Lets libcurl work. With a watcher: on `socket`, which is ready for `events`.
  void perform(curl_socket_t socket, int events) noexcept;

  /// Completes what libcurl has finished. True if there was anything.
  bool complete_finished() noexcept;

  /// Completes the requests in progress whose stop was requested.
  void abandon_stopped() noexcept;

  /// Completes all requests in progress.
  void abandon_all(TransportFault fault, const char* message) noexcept;

  bool idle() const noexcept { return under_way_.empty(); }

  /// When the last transfer ended.
  TimePoint idle_since() const noexcept { return idle_since_; }

  /// With requests in progress: waits for libcurl's sockets, wake() or `moment`. May return early. False if that fails.
  bool wait(TimePoint moment) noexcept;

  /// Makes wait() return. May be called from any thread.
  bool wake() noexcept { return curl_multi_wakeup(multi_.get()) == CURLM_OK; }

 private:
  using Transfers = std::list<std::unique_ptr<Transfer>>;

  Multi(const CurlOptions& options, CURLSH* share, RequestQueue& queue, SocketWatcher* watcher);

  bool set_options(const CurlOptions& options);
  bool add_idle_transfer();
  void release(Transfer& transfer) noexcept;
  bool start_again(Transfer& transfer) noexcept;

  static int watch(CURL* easy, curl_socket_t socket, int what, void* user, void* of_socket) noexcept;
  static int note_timer(CURLM* multi, long delay, void* user) noexcept;

  SocketWatcher* const watcher_;
  Connections connections_;
  const TransferSetup setup_;
  MultiHandle multi_;
  Transfers under_way_;
  Transfers idle_;
  TimePoint idle_since_;
};

/// The timeout for curl_multi_poll() and timers: rounded up, so that no wait ends too early, and at most one day.
milliseconds until(TimePoint moment);

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// The connections that are open, as far as libcurl lets others know them.
#ifndef WECHATPAY_SRC_CURL_CONNECTIONS_HPP
#define WECHATPAY_SRC_CURL_CONNECTIONS_HPP

#include <curl/curl.h>

#include <memory>
#include <unordered_map>

#include "src/curl/request_queue.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What has arrived on a connection on which nothing is awaited.
enum class Arrived {
  nothing,  ///< or messages of TLS that are not for the application, such as session tickets
  data,     ///< bytes for the application
  end,      ///< the other side has closed, or TLS is broken
};

/// One connection, shared by the table and the transfers that use it.
struct Connection {
  curl_socket_t socket = CURL_SOCKET_BAD;  ///< bad once it is closed
  std::size_t transfers = 0;               ///< that use it, or whose end libcurl is about to tell
  bool trusted = true;                     ///< further requests may be sent over it

  /// Whether others use it at this moment.
  bool is_shared(Protocol protocol) const noexcept { return protocol == Protocol::http2 && transfers > 0; }

  /// Whether it was kept well enough for one more request, by what has `arrived` on it while nothing was awaited. Over
  /// HTTP/1.1, bytes that have arrived by now are no answer to a request that has not left yet.
  bool may_carry(Protocol protocol, Arrived arrived) const noexcept {
    return trusted && (arrived == Arrived::nothing || (arrived == Arrived::data && protocol == Protocol::http2));
  }
};

/// Connections by their TLS session, which is all that a libcurl callback tells of them. Owned by the driver's thread;
/// outlives the multi handle, which reports what it closes.
class Connections {
 public:
  /// Throws std::bad_alloc.
  std::shared_ptr<Connection> opened(void* tls, curl_socket_t socket);

  /// Null where it is not known.
  std::shared_ptr<Connection> find(void* tls) const;

  /// No further transfer may use it. Over HTTP/2, libcurl would go on doing so: where no other transfer needs it, it is
  /// shut down, by which libcurl sees that it is dead.
  static void distrust(Connection& connection) noexcept;

  /// A transfer no longer uses it.
  static void leave(Connection& connection) noexcept;

  /// For CURLOPT_CLOSESOCKETFUNCTION; `user` is the table.
  static int close(void* user, curl_socket_t socket) noexcept;

 private:
  std::unordered_map<void*, std::shared_ptr<Connection>> by_tls_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

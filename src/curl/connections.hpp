/// The open connections, as far as libcurl reports them.
#ifndef WECHATPAY_SRC_CURL_CONNECTIONS_HPP
#define WECHATPAY_SRC_CURL_CONNECTIONS_HPP

#include <curl/curl.h>

#include <memory>
#include <unordered_map>

#include "src/curl/request_queue.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What has arrived on a connection while no answer was expected.
enum class Arrived {
  nothing,  ///< nothing, or TLS messages that are not for the application, such as session tickets
  data,     ///< bytes for the application
  end,      ///< the peer has closed the connection, or TLS has failed
};

/// One connection, shared by the table and the transfers that use it.
struct Connection {
  curl_socket_t socket = CURL_SOCKET_BAD;  ///< CURL_SOCKET_BAD once it is closed
  std::size_t transfers = 0;               ///< transfers that use it, or whose end libcurl has not reported yet
  bool trusted = true;                     ///< further requests may be sent over it

  /// Whether other transfers use it now.
  bool is_shared(Protocol protocol) const noexcept { return protocol == Protocol::http2 && transfers > 0; }

  /// Whether one more request may be sent on this reused connection. `arrived`: what came while no answer was expected.
  /// Over HTTP/1.1, bytes that have arrived by now cannot answer a request that was not sent yet.
  bool may_carry(Protocol protocol, Arrived arrived) const noexcept {
    return trusted && (arrived == Arrived::nothing || (arrived == Arrived::data && protocol == Protocol::http2));
  }
};

/// Connections by their TLS session, which is the only identification in a libcurl callback. Owned by the driver's
/// thread. Outlives the multi handle, which reports the connections it closes.
class Connections {
 public:
  /// Throws std::bad_alloc.
  std::shared_ptr<Connection> opened(void* tls, curl_socket_t socket);

  /// Null if it is not known.
  std::shared_ptr<Connection> find(void* tls) const;

  /// No further transfer may use the connection. Over HTTP/2, libcurl would still use it. So if no other transfer needs
  /// it, it is shut down, which lets libcurl see that it is dead.
  static void distrust(Connection& connection) noexcept;

  /// Call when a transfer no longer uses it.
  static void leave(Connection& connection) noexcept;

  /// For CURLOPT_CLOSESOCKETFUNCTION; `user` is the table.
  static int close(void* user, curl_socket_t socket) noexcept;

 private:
  std::unordered_map<void*, std::shared_ptr<Connection>> by_tls_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

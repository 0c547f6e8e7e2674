#include "src/curl/connections.hpp"

#if !defined(_WIN32)
#include <sys/socket.h>
#include <unistd.h>
#endif

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {
namespace {

void shut_down_unused(const Connection& connection) noexcept {
  if (connection.trusted || connection.transfers > 0 || connection.socket == CURL_SOCKET_BAD) return;
#if defined(_WIN32)
  ::shutdown(connection.socket, SD_BOTH);
#else
  ::shutdown(connection.socket, SHUT_RDWR);
#endif
}

}  // namespace

std::shared_ptr<Connection> Connections::opened(void* tls, curl_socket_t socket) {
  auto connection = std::make_shared<Connection>();
  connection->socket = socket;
  by_tls_[tls] = connection;
  return connection;
}

std::shared_ptr<Connection> Connections::find(void* tls) const {
  const auto at = by_tls_.find(tls);
  return at == by_tls_.end() ? nullptr : at->second;
}

void Connections::distrust(Connection& connection) noexcept {
  connection.trusted = false;
  shut_down_unused(connection);
}

void Connections::leave(Connection& connection) noexcept {
  --connection.transfers;
  shut_down_unused(connection);
}

int Connections::close(void* user, curl_socket_t socket) noexcept {
  auto& by_tls = static_cast<Connections*>(user)->by_tls_;
  for (auto at = by_tls.begin(); at != by_tls.end(); ++at) {
    if (at->second->socket != socket) continue;
    at->second->socket = CURL_SOCKET_BAD;
    by_tls.erase(at);
    break;
  }
#if defined(_WIN32)
  return ::closesocket(socket);
#else
  return ::close(socket);
#endif
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

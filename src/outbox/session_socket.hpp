// Lets one thread end another thread's wait for a database.
#ifndef WECHATPAY_SRC_OUTBOX_SESSION_SOCKET_HPP
#define WECHATPAY_SRC_OUTBOX_SESSION_SOCKET_HPP

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wechatpay::bonus_commit::outbox {

/// A duplicate of a connection's socket descriptor, so that the client library may close its own descriptor at any
/// time.
class SessionSocket {
 public:
  SessionSocket() = default;
  SessionSocket(const SessionSocket&) = delete;
  SessionSocket& operator=(const SessionSocket&) = delete;
  ~SessionSocket() {
    if (copy_ >= 0) ::close(copy_);
  }

  /// Call it before another thread uses this object.
  void set(int socket) { copy_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0); }

  /// Thread-safe.
  void shut() const {
    if (copy_ >= 0) ::shutdown(copy_, SHUT_RDWR);
  }

 private:
  int copy_ = -1;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif

#include "src/testing/page_http.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "src/testing/connection_threads.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

constexpr std::size_t most_connections = 32;
constexpr std::size_t largest_request = 64U << 10U;
constexpr std::chrono::seconds longest_request(10);
constexpr std::chrono::seconds longest_connection(30);

/// A connection with time limits. No `override` here, since different functions are virtual in cpp-httplib's versions.
class BoundedStream : public httplib::Stream {
 public:
  explicit BoundedStream(socket_t socket) : socket_(socket) {}

  bool is_readable() const { return is_ready(POLLIN, longest_request); }
  bool is_writable() const { return is_ready(POLLOUT, longest_connection); }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return is_writable(); }

  ssize_t read(char* bytes, std::size_t size) {
    if (left_ == 0 || !is_readable()) return -1;
    const ssize_t got = ::recv(socket_, bytes, std::min(size, left_), 0);
    if (got > 0) left_ -= static_cast<std::size_t>(got);
    return got;
  }

  using httplib::Stream::write;
  ssize_t write(const char* bytes, std::size_t size) {
    return is_writable() ? ::send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
  }

  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}
  socket_t socket() const { return socket_; }
  time_t duration() const { return 0; }

 private:
  bool is_ready(short event, std::chrono::milliseconds limit) const {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(begin_ + limit - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      pollfd one{socket_, event, 0};
      const int ready = ::poll(&one, 1, static_cast<int>(left.count()));
      if (ready >= 0 || errno != EINTR) return ready > 0;
    }
  }

  socket_t socket_;
  std::size_t left_ = largest_request;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

/// A connection that the server knows while it is open.
struct PageHttp::Connection {
  Connection(PageHttp& server_, socket_t socket_) : server(server_), socket(socket_) {
    const std::lock_guard<std::mutex> lock(server.mutex_);
    turn = ++server.turn_;
    server.sockets_[turn] = socket;
    if (server.closing_) ::shutdown(socket, SHUT_RDWR);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    {
      const std::lock_guard<std::mutex> lock(server.mutex_);
      server.sockets_.erase(turn);
    }
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
  }

  PageHttp& server;
  socket_t socket;
  std::uint64_t turn = 0;
};

PageHttp::PageHttp() {
  new_task_queue = [this] { return new ConnectionThreads([this] { close_oldest(); }, most_connections); };
}

void PageHttp::close_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closing_ = true;
  for (const auto& [turn, socket] : sockets_) ::shutdown(socket, SHUT_RDWR);
}

void PageHttp::close_oldest() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (sockets_.empty()) return;
  ::shutdown(sockets_.begin()->second, SHUT_RDWR);
  sockets_.erase(sockets_.begin());
}

bool PageHttp::process_and_close_socket(socket_t socket) {
  const Connection connection(*this, socket);
  BoundedStream stream(socket);
  bool closed = false;
  return process(*this, stream, closed, 0);
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

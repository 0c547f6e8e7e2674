#include "src/testing/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

thread_local SSL* current_ssl = nullptr;

void close_connection() { ::shutdown(SSL_get_fd(current_ssl), SHUT_RDWR); }

/// Sends RST: for TCP, connect() with AF_UNSPEC dissolves the association.
void reset_connection() {
  sockaddr unspecified{};
  unspecified.sa_family = AF_UNSPEC;
  static_cast<void>(::connect(SSL_get_fd(current_ssl), &unspecified, sizeof unspecified));
}

void write_bytes(std::string_view bytes) { SSL_write(current_ssl, bytes.data(), static_cast<int>(bytes.size())); }

/// An answer as it is sent.
std::string wire_form(const HttpResponse& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " \r\n";
  for (const HttpHeader& header : response.headers) text.append(header.name + ": " + header.value + "\r\n");
  if (response.status != 204) text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  return text + "\r\n" + response.body;
}

}  // namespace

void note_connection(SSL* ssl) { current_ssl = ssl; }

SSL* noted_connection() { return current_ssl; }

void end_connection() {
  SSL_shutdown(current_ssl);
  SSL_set_shutdown(current_ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // no further request is read
  pollfd socket{SSL_get_fd(current_ssl), POLLIN, 0};
  ::shutdown(socket.fd, SHUT_WR);
  // If a socket is closed with unread data, the connection is reset, which can destroy an answer that was not received
  // yet.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::array<char, 16384> dropped{};
  while (std::chrono::steady_clock::now() < end && ::poll(&socket, 1, 100) >= 0) {
    if (socket.revents != 0 && ::recv(socket.fd, dropped.data(), dropped.size(), MSG_DONTWAIT) <= 0) return;
  }
}

void hold_back_packets(bool hold_back) {
#if defined(TCP_CORK)
  const int value = hold_back ? 1 : 0;
  ::setsockopt(SSL_get_fd(current_ssl), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
#else
  static_cast<void>(hold_back);
#endif
}

bool break_connection(const HttpResponse& response, SandboxFault::Kind fault, const std::function<void()>& pause) {
  using Kind = SandboxFault::Kind;
  const std::string bytes = wire_form(response);
  switch (fault) {
    case Kind::drop_before:
    case Kind::drop_after: break;
    case Kind::drop_half: write_bytes(std::string_view(bytes).substr(0, bytes.size() / 2)); break;
    case Kind::early_close: write_bytes(bytes); break;
    case Kind::garbage: write_bytes("\x15\x03 this is not HTTP\r\n\r\n"); break;
    case Kind::polite_close:
      write_bytes(bytes);
      SSL_shutdown(current_ssl);
      break;
    case Kind::slow:
      for (const char& byte : bytes) {
        pause();
        write_bytes({&byte, 1});
      }
      break;
    case Kind::reset: reset_connection(); return true;
    case Kind::extra_answer:
      hold_back_packets(true);  // a client that receives the first answer then receives the second one, too
      write_bytes(bytes);
      return false;
    default: return false;
  }
  close_connection();
  return true;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

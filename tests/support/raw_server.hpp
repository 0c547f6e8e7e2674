/// Servers that misbehave on purpose: scripted bytes over real TLS, and a proxy.
#ifndef WECHATPAY_TESTS_RAW_SERVER_HPP
#define WECHATPAY_TESTS_RAW_SERVER_HPP

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#include <sys/prctl.h>
#endif

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "src/testing/pki.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

/// A certificate authority for all raw servers of a test program, with a server certificate for 127.0.0.1.
struct ServerPki {
  PkeyHandle key = make_rsa_key();
  CertificateHandle ca = make_certificate({"test CA", "", {}, true}, key.get());
  CertificateHandle server =
      make_certificate({"test server", "", {"127.0.0.1"}, false}, key.get(), ca.get(), key.get());
  TemporaryFolder folder;
  std::string ca_file = folder.write("ca.pem", certificate_pem(ca.get()));
  std::string certificate_file = folder.write("server.pem", certificate_pem(server.get()));
  std::string key_file = folder.write("server_key.pem", private_key_pem(key.get()));

  static ServerPki& get() {
    static ServerPki made;
    return made;
  }
};

/// A listening socket on loopback, with one thread for each connection.
class Listener {
 public:
  using Serve = std::function<void(int socket, int number)>;

  explicit Listener(Serve serve) : serve_(std::move(serve)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 256) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no listening socket");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const int one : open_) ::shutdown(one, SHUT_RDWR);
    }
    for (std::thread& one : connections_) one.join();
    ::close(socket_);
  }

  std::uint16_t port() const { return port_; }

  int connections() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<int>(connections_.size());
  }

  /// Waits until all connections so far are closed.
  void wait_until_closed() const {
    const auto any_open = [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      return !open_.empty();
    };
    while (any_open()) std::this_thread::yield();
  }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

 private:
  void accept_all() {
    // A connection reset must not end the test program in this server's code. The library is tested separately.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (true) {
      const int one = ::accept(socket_, nullptr, nullptr);
      if (one < 0 && errno == EMFILE) {  // a test uses all descriptors for a moment
        std::this_thread::yield();
        continue;
      }
      if (one < 0) return;
      const std::lock_guard<std::mutex> lock(mutex_);
      open_.push_back(one);
      const int number = static_cast<int>(connections_.size()) + 1;
      connections_.emplace_back([this, one, number] {
        serve_(one, number);
        const std::lock_guard<std::mutex> ending(mutex_);
        open_.remove(one);
        ::close(one);
      });
    }
  }

  Serve serve_;
  int socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::list<int> open_;
  std::vector<std::thread> connections_;
};

/// Serves TLS, and runs the script inside it.
class RawServer {
 public:
  class Connection {
   public:
    Connection(int socket, SSL* ssl) : socket_(socket), ssl_(ssl) {}

    /// Reads a request's head and body. Empty if the client has closed.
    std::string read_request() {
      std::string request;
      while (true) {
        const std::size_t head = request.find("\r\n\r\n");
        if (head != std::string::npos) {
          const std::size_t at = request.find("Content-Length: ");
          const std::size_t size = at == std::string::npos ? 0 : std::strtoul(request.c_str() + at + 16, nullptr, 10);
          if (request.size() >= head + 4 + size) return request;
        }
        const std::string more = read();
        if (more.empty()) return {};
        request += more;
      }
    }

    /// Reads the bytes that have arrived, or waits for the next ones. Empty if the client has closed.
    std::string read() {
      char buffer[16384];
      const int got = SSL_read(ssl_, buffer, sizeof buffer);
      return got <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(got));
    }

    void write(std::string_view bytes) { SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); }

    /// Waits until the client's system has received all written bytes.
    void wait_until_delivered() const {
#if defined(SIOCOUTQ)
      for (int left = 1; ::ioctl(socket_, SIOCOUTQ, &left) == 0 && left > 0;) std::this_thread::yield();
#endif
    }

    /// Writes both in separate TLS records, but in one packet.
    void write_both(std::string_view first, std::string_view second) {
      for (const int hold_back : {1, 0}) {
#if defined(TCP_CORK)
        setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &hold_back, sizeof hold_back);
#endif
        if (hold_back == 0) break;
        write(first);
        write(second);
      }
    }

    /// Sends one more session ticket after the handshake (RFC 8446, section 4.6.1).
    void send_session_ticket() {
      SSL_new_session_ticket(ssl_);
      SSL_do_handshake(ssl_);
    }

    /// Sends TLS's close_notify, then FIN. The client's side stays open.
    void close_politely() {
      SSL_shutdown(ssl_);
      ::shutdown(socket_, SHUT_WR);
    }

    /// Makes the connection close with RST, even if data is unread.
    void reset() const {
      const linger now{1, 0};
      setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }

   private:
    int socket_;
    SSL* ssl_;
  };

  /// Runs on the connection's own thread; `number` counts connections from 1. When it returns, the connection closes.
  using Script = std::function<void(Connection&, int number)>;

  /// `protocol`: the protocol that it selects by ALPN, if not empty.
  explicit RawServer(Script script, int max_tls = TLS1_3_VERSION, std::string protocol = {})
      : script_(std::move(script)),
        protocol_(std::move(protocol)),
        context_(SSL_CTX_new(TLS_server_method())),
        listener_([this](int socket, int number) { serve(socket, number); }) {
    ServerPki& pki = ServerPki::get();
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), max_tls);
    if (max_tls < TLS1_2_VERSION) SSL_CTX_set_cipher_list(context_.get(), "ALL:@SECLEVEL=0");
    if (SSL_CTX_use_certificate(context_.get(), pki.server.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_.get(), pki.key.get()) != 1) {
      throw std::runtime_error("no TLS server");
    }
    if (!protocol_.empty()) SSL_CTX_set_alpn_select_cb(context_.get(), &RawServer::choose_protocol, &protocol_);
  }

  std::string origin() const { return "https://127.0.0.1:" + std::to_string(listener_.port()); }
  static const std::string& ca_file() { return ServerPki::get().ca_file; }
  int connections() const { return listener_.connections(); }

 private:
  static int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char*, unsigned,
                             void* protocol) {
    const auto& text = *static_cast<const std::string*>(protocol);
    *chosen = reinterpret_cast<const unsigned char*>(text.data());
    *size = static_cast<unsigned char>(text.size());
    return SSL_TLSEXT_ERR_OK;
  }

  void serve(int socket, int number) {
    const std::unique_ptr<SSL, Freeing<SSL_free>> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), socket);
    if (SSL_accept(ssl.get()) != 1) return;
    Connection connection(socket, ssl.get());
    script_(connection, number);
    SSL_shutdown(ssl.get());
  }

  Script script_;
  std::string protocol_;
  std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>> context_;
  Listener listener_;  // last, because its threads use the other members
};

/// Passes bytes both ways until one end closes. Drops bytes while `passes` returns false.
inline void relay(
    int a, int b, const std::function<bool()>& passes = [] { return true; }) {
  pollfd ends[] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
  while (::poll(ends, 2, -1) > 0) {
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      char buffer[16384];
      const ssize_t got = ::recv(ends[i].fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      if (passes()) ::send(ends[1 - i].fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
    }
  }
}

/// An HTTP proxy for CONNECT. If `refusal` is not empty, answers that instead.
class ConnectProxy {
 public:
  explicit ConnectProxy(std::string refusal = {})
      : refusal_(std::move(refusal)), listener_([this](int socket, int) { serve(socket); }) {}

  std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_.port()); }

  /// The heads of the CONNECT requests so far.
  std::vector<std::string> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  void serve(int client) {
    std::string head;
    for (char c = 0; head.find("\r\n\r\n") == std::string::npos && ::recv(client, &c, 1, 0) == 1;) head += c;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(head);
    }
    const std::string answer = refusal_.empty() ? "HTTP/1.1 200 Connection established\r\n\r\n" : refusal_;
    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (!refusal_.empty()) return;

    const auto port = std::strtoul(head.c_str() + head.find(':') + 1, nullptr, 10);
    const sockaddr_in address = Listener::loopback(static_cast<std::uint16_t>(port));
    const int server = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) relay(client, server);
    ::close(server);
  }

  std::string refusal_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  Listener listener_;
};

inline constexpr const char* empty_answer = "HTTP/1.1 204 No Content\r\n\r\n";

/// Answers every request on every connection.
inline void answer_all(RawServer::Connection& connection, int) {
  while (!connection.read_request().empty()) connection.write(empty_answer);
}

/// Reads a request and never answers. Returns when the client has disconnected.
inline void hang(RawServer::Connection& connection, int) {
  connection.read_request();
  connection.read_request();
}

/// Forwards connections to a port on loopback, until it is told to drop the data of the present ones.
class Forwarder {
 public:
  explicit Forwarder(std::uint16_t port) : port_(port), listener_([this](int socket, int) { serve(socket); }) {}

  std::uint16_t port() const { return listener_.port(); }
  int connections() const { return listener_.connections(); }
  void wait_until_closed() const { listener_.wait_until_closed(); }

  /// Acts like a firewall that has forgotten the connections: drops all their data, without an error to either side.
  void swallow_present_connections() { ++generation_; }

 private:
  void serve(int client) {
    const int born = generation_;
    const sockaddr_in address = Listener::loopback(port_);
    const int server = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      relay(client, server, [this, born] { return generation_ == born; });
    }
    ::close(server);
  }

  std::uint16_t port_;
  std::atomic<int> generation_{0};
  Listener listener_;
};

/// A free port on loopback for a program that is to be started. It is below the range from which systems assign ports,
/// so it is not assigned in the meantime.
inline std::uint16_t port_for_a_program() {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto port = static_cast<std::uint16_t>(10000 + random() % 20000);
    const sockaddr_in address = Listener::loopback(port);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool free = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (free) return port;
  }
  throw std::runtime_error("no free port");
}

/// Called in a child process, so that it ends if the test is killed.
inline void end_with_the_parent(int signal = SIGTERM) {
#if defined(__linux__)
  ::prctl(PR_SET_PDEATHSIG, signal);
#else
  static_cast<void>(signal);
#endif
}

}  // namespace wechatpay::bonus_commit

#endif

/// A TLS client that sends bytes that no HTTP client would send.
#ifndef WECHATPAY_TESTS_RAW_CLIENT_HPP
#define WECHATPAY_TESTS_RAW_CLIENT_HPP

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "src/openssl/handles.hpp"

namespace wechatpay::bonus_commit {

/// One connection to 127.0.0.1. No operation waits longer than half a minute.
class RawClient {
 public:
  explicit RawClient(const std::string& origin) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(origin.substr(origin.rfind(':') + 1))));
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("no connection to " + origin);
    }
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() {
    ssl_.reset();
    ::close(socket_);
  }

  bool shake_hands() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_);
    return SSL_connect(ssl_.get()) == 1;
  }

  /// After the handshake.
  bool certificate_names(const char* host) const {
    const CertificateHandle certificate(SSL_get1_peer_certificate(ssl_.get()));
    return X509_check_host(certificate.get(), host, 0, 0, nullptr) == 1;
  }

  /// Writes to the socket without TLS. False if the server has closed the connection.
  bool write_plain(std::string_view bytes) const {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }

  /// Reads without TLS until the server closes the connection.
  std::string read_plain() const {
    std::string all;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
  }

  /// Writes through TLS. False if the server has closed the connection.
  bool write(std::string_view bytes) const {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }

  void end_writing() const {
    SSL_shutdown(ssl_.get());
    ::shutdown(socket_, SHUT_WR);
  }

  /// Reads until `end` has arrived, or until the server closes the connection.
  std::string read_until(std::string_view end) const {
    std::string all;
    char buffer[4096];
    int got = 0;
    while (all.find(end) == std::string::npos && (got = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0) {
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
  }

  std::string read_to_the_end() const { return read_until(std::string_view("\0 never sent", 12)); }

 private:
  int socket_;
  std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, Freeing<SSL_free>> ssl_;
};

/// Sends these bytes, and returns the server's answer until it closes the connection.
inline std::string said_to(const std::string& origin, std::string_view bytes) {
  RawClient client(origin);
  if (!client.shake_hands()) return "no handshake";
  client.write(bytes);
  return client.read_to_the_end();
}

}  // namespace wechatpay::bonus_commit

#endif

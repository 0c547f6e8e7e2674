/// One HTTP/2 connection (RFC 9113) of a RawServer. It writes single frames, to end streams in ways that a real server
/// cannot be configured for.
#ifndef WECHATPAY_TESTS_SUPPORT_HTTP2_CONNECTION_HPP
#define WECHATPAY_TESTS_SUPPORT_HTTP2_CONNECTION_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit/http.hpp"

namespace wechatpay::bonus_commit {

class Http2Connection {
 public:
  explicit Http2Connection(RawServer::Connection& connection) : connection_(connection) {
    connection_.write(frame(settings, 0, 0, ""));
  }

  /// Waits for the header and body of the next request, and returns its stream. 0 if the client has closed.
  std::uint32_t next_request() {
    if (!preface_read_ && !take(24, preface_)) return 0;
    preface_read_ = true;
    while (true) {
      std::string head;
      std::string payload;
      if (!take(9, head) || !take(number(head, 0, 3), payload)) return 0;
      const int type = static_cast<unsigned char>(head[3]);
      const unsigned flags = static_cast<unsigned char>(head[4]);
      if (type == settings && (flags & 1U) == 0) connection_.write(frame(settings, 1, 0, ""));
      if (type == ping && (flags & 1U) == 0) connection_.write(frame(ping, 1, 0, payload));
      if ((type == headers || type == data) && (flags & 1U) != 0) return number(head, 5, 4);  // END_STREAM
    }
  }

  void write(std::string_view frames) { connection_.write(frames); }

  /// An answer without a body.
  static std::string answer(std::uint32_t stream, const HttpResponse& response) {
    std::string block = literal(":status", std::to_string(response.status));
    for (const HttpHeader& header : response.headers) {
      std::string name = header.name;
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      block += literal(name, header.value);
    }
    return frame(headers, 0x5, stream, block);  // END_HEADERS, END_STREAM
  }

  /// RST_STREAM with REFUSED_STREAM: the server has not processed the request.
  static std::string refuse(std::uint32_t stream) { return frame(rst_stream, 0, stream, bytes(7, 4)); }

  /// GOAWAY: the server has not processed any stream after `last_stream`.
  static std::string go_away(std::uint32_t last_stream) {
    return frame(goaway, 0, 0, bytes(last_stream, 4) + bytes(0, 4));
  }

 private:
  enum Type { data = 0, headers = 1, rst_stream = 3, settings = 4, ping = 6, goaway = 7 };

  static std::string bytes(std::uint32_t value, unsigned size) {
    std::string text;
    for (unsigned left = size; left > 0; --left) text += static_cast<char>((value >> (8 * (left - 1))) & 0xFFU);
    return text;
  }

  static std::uint32_t number(std::string_view text, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : text.substr(at, size)) value = (value << 8U) | static_cast<unsigned char>(c);
    return value;
  }

  static std::string frame(int type, unsigned flags, std::uint32_t stream, std::string_view payload) {
    return bytes(static_cast<std::uint32_t>(payload.size()), 3) + bytes(static_cast<std::uint32_t>(type), 1) +
           bytes(flags, 1) + bytes(stream, 4) + std::string(payload);
  }

  /// An HPACK string, without Huffman coding (RFC 7541, section 5.2).
  static std::string hpack_string(std::string_view text) {
    std::string size;
    if (text.size() < 127) {
      size += static_cast<char>(text.size());
    } else {
      size += '\x7F';
      std::size_t left = text.size() - 127;
      for (; left >= 128; left /= 128) size += static_cast<char>(left % 128 + 128);
      size += static_cast<char>(left);
    }
    return size + std::string(text);
  }

  /// A header that is not in a table (RFC 7541, section 6.2.2).
  static std::string literal(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + hpack_string(name) + hpack_string(value);
  }

  bool take(std::size_t size, std::string& taken) {
    while (unread_.size() < size) {
      const std::string more = connection_.read();
      if (more.empty()) return false;
      unread_ += more;
    }
    taken = unread_.substr(0, size);
    unread_.erase(0, size);
    return true;
  }

  RawServer::Connection& connection_;
  std::string unread_;
  std::string preface_;
  bool preface_read_ = false;
};

}  // namespace wechatpay::bonus_commit

#endif

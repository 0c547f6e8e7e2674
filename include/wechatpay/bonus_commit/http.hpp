/// One HTTP exchange as plain data, in RFC 9110's words.
#ifndef WECHATPAY_BONUS_COMMIT_HTTP_HPP
#define WECHATPAY_BONUS_COMMIT_HTTP_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// One line of a header section.
struct HttpHeader {
  std::string name{};   ///< compared without regard to case; HTTP/2 lowers it
  std::string value{};  ///< without white space at its ends

  /// Byte for byte.
  /// @{
  friend bool operator==(const HttpHeader& a, const HttpHeader& b) { return a.name == b.name && a.value == b.value; }
  friend bool operator!=(const HttpHeader& a, const HttpHeader& b) { return !(a == b); }
  /// @}
};

/// In the order of the wire; a name may occur more than once.
using HttpHeaders = std::vector<HttpHeader>;

/// A request as it goes over the wire.
struct HttpRequest {
  std::string method{};   ///< "POST"
  std::string origin{};   ///< scheme, host and port: "https://api.mch.weixin.qq.com"
  std::string path{};     ///< percent-encoded; goes over the wire exactly so
  HttpHeaders headers{};  ///< all but Host and Content-Length
  std::string body{};     ///< byte for byte what was signed

  /// Byte for byte, the order of the headers included.
  /// @{
  friend bool operator==(const HttpRequest& a, const HttpRequest& b) {
    return a.method == b.method && a.origin == b.origin && a.path == b.path && a.headers == b.headers &&
           a.body == b.body;
  }
  friend bool operator!=(const HttpRequest& a, const HttpRequest& b) { return !(a == b); }
  /// @}
};

/// An answer, whosoever it is.
struct HttpResponse {
  int status = 0;           ///< 100 to 599
  HttpHeaders headers{};    ///< of the last answer alone, where interim ones came before it
  std::string body{};       ///< as received; what WeChat Pay signs
  TransferInfo transfer{};  ///< how it went over the wire, where the transport tells
};

/// Whether two header names, or other ASCII tokens, are the same without regard to case.
inline bool same_token(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// Every value of the header `name`, in order. The views live as long as `headers`.
inline std::vector<std::string_view> header_values(const HttpHeaders& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const HttpHeader& header : headers) {
    if (same_token(header.name, name)) values.emplace_back(header.value);
  }
  return values;
}

/// The first value of the header `name`, or nothing. The view lives as long as `headers`.
inline std::string_view header_value(const HttpHeaders& headers, std::string_view name) {
  for (const HttpHeader& header : headers) {
    if (same_token(header.name, name)) return header.value;
  }
  return {};
}

WECHATPAY_BONUS_COMMIT_END

#endif

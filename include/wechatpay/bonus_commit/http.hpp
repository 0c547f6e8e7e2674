/// One HTTP exchange as plain data, in the terms of RFC 9110.
#ifndef WECHATPAY_BONUS_COMMIT_HTTP_HPP
#define WECHATPAY_BONUS_COMMIT_HTTP_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// One header field.
struct HttpHeader {
  std::string name{};   ///< case does not matter; HTTP/2 sends lower case
  std::string value{};  ///< without leading and trailing white space

  /// Byte by byte.
  /// @{
  friend bool operator==(const HttpHeader& a, const HttpHeader& b) { return a.name == b.name && a.value == b.value; }
  friend bool operator!=(const HttpHeader& a, const HttpHeader& b) { return !(a == b); }
  /// @}
};

/// In the order sent or received; a name may occur more than once.
using HttpHeaders = std::vector<HttpHeader>;

/// A request as it is sent.
struct HttpRequest {
  std::string method{};   ///< "POST"
  std::string origin{};   ///< scheme, host and port: "https://api.mch.weixin.qq.com"
  std::string path{};     ///< percent-encoded; sent exactly as it is
  HttpHeaders headers{};  ///< all except Host and Content-Length
  std::string body{};     ///< exactly the bytes that were signed

  /// Byte by byte, including the order of the headers.
  /// @{
  friend bool operator==(const HttpRequest& a, const HttpRequest& b) {
    return a.method == b.method && a.origin == b.origin && a.path == b.path && a.headers == b.headers &&
           a.body == b.body;
  }
  friend bool operator!=(const HttpRequest& a, const HttpRequest& b) { return !(a == b); }
  /// @}
};

/// An answer, whether from WeChat Pay or from another server.
struct HttpResponse {
  int status = 0;           ///< 100 to 599
  HttpHeaders headers{};    ///< of the final answer only, without interim answers
  std::string body{};       ///< as received; WeChat Pay signs these bytes
  TransferInfo transfer{};  ///< timing and size, if the transport reports them
};

/// Whether two header names, or other ASCII tokens, are equal, ignoring case.
inline bool same_token(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// Returns every value of the header `name`, in order. The views are valid as long as `headers`.
inline std::vector<std::string_view> header_values(const HttpHeaders& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const HttpHeader& header : headers) {
    if (same_token(header.name, name)) values.emplace_back(header.value);
  }
  return values;
}

/// Returns the first value of the header `name`; empty if there is none. The view is valid as long as `headers`.
inline std::string_view header_value(const HttpHeaders& headers, std::string_view name) {
  for (const HttpHeader& header : headers) {
    if (same_token(header.name, name)) return header.value;
  }
  return {};
}

WECHATPAY_BONUS_COMMIT_END

#endif

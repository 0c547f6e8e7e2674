/// One HTTP exchange as plain data, in RFC 9110's words.
#ifndef WECHATPAY_BONUS_COMMIT_HTTP_HPP
#define WECHATPAY_BONUS_COMMIT_HTTP_HPP

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace wechatpay {

struct HttpHeader {
  std::string name;   ///< compared without regard to case; HTTP/2 lowers it
  std::string value;  ///< without white space at its ends
};

/// In the order of the wire; a name may occur more than once.
using HttpHeaders = std::vector<HttpHeader>;

struct HttpRequest {
  std::string method;
  std::string origin;  ///< scheme, host and port: "https://api.mch.weixin.qq.com"
  std::string path;    ///< percent-encoded; goes over the wire exactly so
  HttpHeaders headers;
  std::string body;
  std::chrono::milliseconds send_after{0};  ///< a pause before it is sent
  std::chrono::milliseconds timeout{0};  ///< from the end of that pause to the answer's last byte; 0: the transport's
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
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

}  // namespace wechatpay

#endif

// Converts requests and answers between cpp-httplib's types and the library's.
#ifndef WECHATPAY_SRC_TESTING_HTTP_MESSAGES_HPP
#define WECHATPAY_SRC_TESTING_HTTP_MESSAGES_HPP

#include <httplib.h>

#include <string>

#include "wechatpay/bonus_commit/http.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// The request as it was received: cpp-httplib decodes `path` and adds headers.
inline HttpRequest request_of(const httplib::Request& received, const std::string& body, const std::string& origin) {
  HttpRequest request;
  request.method = received.method;
  request.origin = origin;
  request.path = received.target;
  request.body = body;
  for (const auto& [name, value] : received.headers) {
    const bool added = name == "REMOTE_ADDR" || name == "REMOTE_PORT" || name == "LOCAL_ADDR" || name == "LOCAL_PORT";
    if (!added) request.headers.push_back({name, value});
  }
  return request;
}

inline void send(const HttpResponse& response, httplib::Response& sent) {
  sent.status = response.status;
  for (const HttpHeader& header : response.headers) {
    if (!same_token(header.name, "Content-Type")) sent.headers.emplace(header.name, header.value);
  }
  if (response.body.empty()) return;
  const std::string type(header_value(response.headers, "Content-Type"));
  sent.set_content(response.body, type.empty() ? "text/plain" : type.c_str());
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

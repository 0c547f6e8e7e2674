/// Requests straight to a CurlTransport.
#ifndef WECHATPAY_TESTS_SENDING_HPP
#define WECHATPAY_TESTS_SENDING_HPP

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

namespace wechatpay {

inline HttpRequest request_to(const std::string& origin, std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
  HttpRequest request;
  request.method = "POST";
  request.origin = origin;
  request.path = "/v3/test";
  request.body = "{}";
  request.timeout = timeout;
  return request;
}

inline std::future<Result<HttpResponse>> start(Transport& transport, HttpRequest request) {
  auto promise = std::make_shared<std::promise<Result<HttpResponse>>>();
  transport.send(std::move(request), [promise](Result<HttpResponse> result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

inline Result<HttpResponse> send(Transport& transport, HttpRequest request) {
  return start(transport, std::move(request)).get();
}

/// A transport that trusts the raw servers.
inline std::shared_ptr<CurlTransport> trusting_transport(CurlOptions options = {}) {
  options.ca_bundle_file = RawServer::ca_file();
  return CurlTransport::create(options).value();
}

}  // namespace wechatpay

#endif

/// Sends requests directly to a CurlTransport.
#ifndef WECHATPAY_TESTS_SENDING_HPP
#define WECHATPAY_TESTS_SENDING_HPP

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

namespace wechatpay::bonus_commit {

inline HttpRequest request_to(const std::string& origin) {
  HttpRequest request;
  request.method = "POST";
  request.origin = origin;
  request.path = "/v3/test";
  request.body = "{}";
  return request;
}

inline SendOptions within(std::chrono::milliseconds timeout) {
  SendOptions options;
  options.timeout = timeout;
  return options;
}

inline std::future<Result<HttpResponse>> start(Transport& transport, HttpRequest request,
                                               SendOptions options = within(std::chrono::seconds(10))) {
  auto promise = std::make_shared<std::promise<Result<HttpResponse>>>();
  transport.send(std::move(request), std::move(options),
                 [promise](Result<HttpResponse> result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

inline Result<HttpResponse> send(Transport& transport, HttpRequest request,
                                 SendOptions options = within(std::chrono::seconds(10))) {
  return start(transport, std::move(request), std::move(options)).get();
}

/// A transport that trusts the raw servers.
inline std::shared_ptr<CurlTransport> trusting_transport(CurlOptions options = {}) {
  options.ca_bundle_file = RawServer::ca_file();
  return CurlTransport::create(options).value();
}

}  // namespace wechatpay::bonus_commit

#endif

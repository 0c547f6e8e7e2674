#include "src/testing/faults.hpp"

#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

void set_header(HttpResponse& response, std::string_view name, const std::string& value) {
  for (HttpHeader& header : response.headers) {
    if (same_token(header.name, name)) header.value = value;
  }
}

/// An answer with the status of the fault, signed.
HttpResponse answer_of_status(const FakeWechatPay& wechat_pay, const HttpRequest& request, const SandboxFault& fault) {
  HttpResponse response;
  if (fault.status < 300) {
    response.status = fault.status;
    response = wechat_pay.sign(std::move(response), request);
  } else {
    response = wechat_pay.error(fault.status, fault.status == 429 ? "RATELIMIT_EXCEEDED" : "SYSTEM_ERROR",
                                "the sandbox was told to answer so", request);
  }
  if (!fault.retry_after.empty()) response.headers.push_back({"Retry-After", fault.retry_after});
  return response;
}

const char* name_of(SandboxFault::Kind kind) {
  using Kind = SandboxFault::Kind;
  switch (kind) {
    case Kind::none: return "none";
    case Kind::delay: return "delay";
    case Kind::slow: return "slow";
    case Kind::drop_before: return "drop-before";
    case Kind::drop_after: return "drop-after";
    case Kind::drop_half: return "drop-half";
    case Kind::reset: return "reset";
    case Kind::early_close: return "early-close";
    case Kind::polite_close: return "polite-close";
    case Kind::extra_answer: return "extra-answer";
    case Kind::http_status: return "http-status";
    case Kind::html: return "html";
    case Kind::redirect: return "redirect";
    case Kind::wrong_signature: return "wrong-signature";
    case Kind::unsigned_answer: return "unsigned";
    case Kind::stale_timestamp: return "stale-timestamp";
    case Kind::unknown_serial: return "unknown-serial";
    case Kind::signature_probe: return "probe";
    case Kind::duplicate_header: return "duplicate-header";
    case Kind::garbage: return "garbage";
    case Kind::large_headers: return "large-headers";
    case Kind::large_body: return "large-body";
  }
  return "unknown";
}

}  // namespace

SandboxFault::SandboxFault(int status_, std::string retry_after_)
    : kind(Kind::http_status), status(status_), retry_after(std::move(retry_after_)) {
  if (status < 200 || status > 599 || status == 204) {
    throw std::invalid_argument("the sandbox answers with a status of 200 to 599 but 204, not " +
                                std::to_string(status));
  }
}

std::string to_string(const SandboxFault& fault) {
  return fault.kind == SandboxFault::Kind::http_status ? std::to_string(fault.status) : name_of(fault.kind);
}

std::optional<SandboxFault> fault_named(std::string_view name, std::chrono::milliseconds pause) {
  int status = 0;
  const auto [stop, failure] = std::from_chars(name.data(), name.data() + name.size(), status);
  if (failure == std::errc() && stop == name.data() + name.size()) {
    if (status < 200 || status > 599 || status == 204) return std::nullopt;
    return SandboxFault(status);
  }
  for (int i = 0; i <= static_cast<int>(SandboxFault::Kind::large_body); ++i) {
    const auto kind = static_cast<SandboxFault::Kind>(i);
    if (kind != SandboxFault::Kind::http_status && name == name_of(kind)) return SandboxFault(kind, pause);
  }
  return std::nullopt;
}

HttpResponse spoiled_answer(const FakeWechatPay& wechat_pay, const HttpRequest& request, const SandboxFault& fault,
                            const std::function<HttpResponse(const HttpRequest&)>& answer) {
  using Kind = SandboxFault::Kind;
  if (fault.kind == Kind::http_status) {
    if (fault.status == 202 || fault.status == 500 || fault.status == 504) answer(request);
    return answer_of_status(wechat_pay, request, fault);
  }
  HttpResponse response = answer(request);
  switch (fault.kind) {
    case Kind::html:
      return {502, {{"Content-Type", "text/html"}}, "<html><body><h1>502 Bad Gateway</h1></body></html>"};
    case Kind::redirect: return {302, {{"Location", "https://127.0.0.1:1/"}}, ""};
    case Kind::large_body: return {200, {}, std::string(2U << 20U, 'x')};
    case Kind::unsigned_answer: return {response.status, {}, response.body};
    case Kind::stale_timestamp:
      return wechat_pay.sign({response.status, {}, response.body}, request, std::chrono::minutes(10));
    case Kind::unknown_serial:
      set_header(response, "Wechatpay-Serial", "PUB_KEY_ID_0000000000000000000000000000");
      break;
    case Kind::signature_probe:
      set_header(response, "Wechatpay-Signature", "WECHATPAY/SIGNTEST/" + std::string(325, 'x'));
      break;
    case Kind::wrong_signature: {
      std::string signature(header_value(response.headers, "Wechatpay-Signature"));
      if (!signature.empty()) signature.front() = signature.front() == 'A' ? 'B' : 'A';
      set_header(response, "Wechatpay-Signature", signature);
      break;
    }
    case Kind::duplicate_header:
      response.headers.push_back(
          {"Wechatpay-Timestamp", std::string(header_value(response.headers, "Wechatpay-Timestamp"))});
      break;
    case Kind::large_headers:
      for (int i = 0; i < 80; ++i) response.headers.push_back({"Padding", std::string(1024, 'x')});
      break;
    default: break;  // the faults of the connection
  }
  return response;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#include "src/testing/exchange_log.hpp"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using nlohmann::ordered_json;

ordered_json as_json(const HttpHeaders& headers) {
  ordered_json list = ordered_json::array();
  std::size_t left = ExchangeLog::most_bytes;
  for (const HttpHeader& header : headers) {
    const std::string name = header.name.substr(0, left);
    left -= name.size();
    const std::string value = header.value.substr(0, left);
    left -= value.size();
    list.push_back({name, value});
    if (left == 0) break;
  }
  return list;
}

}  // namespace

void ExchangeLog::add(const HttpRequest& request, const HttpResponse& answer, const SandboxFault& fault, bool broken,
                      std::chrono::system_clock::time_point now) {
  using Milliseconds = std::chrono::milliseconds;
  std::string injected;
  if (fault.kind != SandboxFault::Kind::none) injected = to_string(fault);
  ordered_json exchange = {
      {"number", 0},
      {"time", std::chrono::duration_cast<Milliseconds>(now.time_since_epoch()).count()},
      {"host", request.origin},
      {"method", request.method.substr(0, most_bytes)},
      {"path", request.path.substr(0, most_bytes)},
      {"headers", as_json(request.headers)},
      {"body", request.body.substr(0, most_bytes)},
      {"body_size", request.body.size()},
      {"status", answer.status},
      {"answer_headers", as_json(answer.headers)},
      {"answer_body", answer.body.substr(0, most_bytes)},
      {"answer_body_size", answer.body.size()},
      {"fault", injected},
      {"broken", broken},
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  exchange["number"] = ++count_;
  latest_.push_back(
      std::make_shared<const std::string>(exchange.dump(-1, ' ', false, ordered_json::error_handler_t::replace)));
  bytes_ += latest_.back()->size();
  while (latest_.size() > most_exchanges || bytes_ > most_memory) {
    bytes_ -= latest_.front()->size();
    latest_.pop_front();
  }
}

std::string ExchangeLog::since(std::uint64_t after) const {
  std::vector<std::shared_ptr<const std::string>> wanted;
  bool more = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::uint64_t forgotten = count_ - latest_.size();
    const std::uint64_t known = after > forgotten ? std::min<std::uint64_t>(latest_.size(), after - forgotten) : 0;
    const std::size_t count = std::min(latest_.size() - static_cast<std::size_t>(known), most_at_once);
    const auto begin = latest_.begin() + static_cast<std::ptrdiff_t>(known);
    wanted.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    more = known + count < latest_.size();
  }
  std::string document =
      "{\"started\":" + std::to_string(started_) + ",\"more\":" + (more ? "true" : "false") + ",\"exchanges\":[";
  for (const auto& one : wanted) document.append(one == wanted.front() ? "" : ",").append(*one);
  return document + "]}";
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

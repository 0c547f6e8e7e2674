/// A transport that keeps every request until the test completes it.
#ifndef WECHATPAY_TESTS_HELD_TRANSPORT_HPP
#define WECHATPAY_TESTS_HELD_TRANSPORT_HPP

#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay::bonus_commit {

/// Ignores stops.
class HeldTransport final : public Transport {
 public:
  void send(HttpRequest request, SendOptions how, Completion done) override {
    requests.push_back(std::move(request));
    options.push_back(std::move(how));
    completions.push_back(std::move(done));
  }

  std::vector<HttpRequest> requests;
  std::vector<SendOptions> options;
  std::vector<Completion> completions;
};

}  // namespace wechatpay::bonus_commit

#endif

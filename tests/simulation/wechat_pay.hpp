/// Simulates WeChat Pay, and other parties that may answer in its place.
#ifndef WECHATPAY_TESTS_SIMULATION_WECHAT_PAY_HPP
#define WECHATPAY_TESTS_SIMULATION_WECHAT_PAY_HPP

#include <deque>
#include <string>
#include <vector>

#include "tests/simulation/auditor.hpp"
#include "tests/simulation/keys.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"

namespace wechatpay::bonus_commit::simulation {

class WechatPay {
 public:
  /// Chooses which answers occur in this world. Uses real RSA if `real` is set.
  WechatPay(World& world, Auditor& auditor, bool real);

  const SigningKey& merchant() const { return keys_[0]; }

  /// WeChat Pay's keys have the numbers 1 and 2.
  void add_key_to(const PlatformKeys& keys, unsigned number) const;
  static std::string key_id(unsigned number);

  /// Chooses the answer to the next request.
  const Reply& next_reply();

  /// From now on every answer is right.
  void recover() { enabled_.clear(); }

  /// Handles a request that has arrived, and returns the answer.
  HttpResponse arrive(const HttpRequest& request, const Reply& reply);

  /// A refusal without a request, as gateways and servers send it on an idle connection.
  HttpResponse timeout_of_idle_connection();

 private:
  void sign(HttpResponse& response, const HttpRequest& request, Signed how);
  void echo(HttpResponse& response, const std::string& signature);
  void check(const HttpRequest& request, const Call& call) const;
  const HttpResponse* settled_before(unsigned number) const;
  void add_retry_after(HttpResponse& response, Answered& answered);

  World& world_;
  Auditor& auditor_;
  std::vector<SigningKey> keys_;
  std::vector<std::string> key_ids_;
  std::vector<const Reply*> enabled_;
  std::uint32_t faults_per_mille_ = 0;
  bool replays_ = false;
  std::deque<HttpResponse> receipts_;  ///< for a replay
  unsigned nonces_ = 0;
};

/// `number` in the digits of Request-ID and of nonces, at least `digits` of them.
std::string hex(unsigned number, std::size_t digits = 1);

}  // namespace wechatpay::bonus_commit::simulation

#endif

// A user's program that is compiled without exceptions and RTTI. It sends through its own transport, reads results, and
// stores the events that hooks report.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/fake_wechat_pay.hpp>
#include <wechatpay/bonus_commit/testing/mock_transport.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#if defined(__cpp_exceptions) || defined(__GXX_RTTI) || defined(__cpp_rtti)
#error "this program is to be compiled with -fno-exceptions and -fno-rtti"
#endif

using namespace wechatpay::bonus_commit;
using namespace wechatpay::bonus_commit::testing;

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (!holds) ++failures, std::cerr << "FAILED: " << what << "\n";
}

/// Counts the requests that it sends.
class CountingTransport final : public Transport {
 public:
  explicit CountingTransport(std::shared_ptr<Transport> next) : next_(std::move(next)) {}

  void send(HttpRequest request, SendOptions options, Completion done) override {
    ++sent;
    next_->send(std::move(request), std::move(options), std::move(done));
  }

  int sent = 0;

 private:
  const std::shared_ptr<Transport> next_;
};

}  // namespace

int main() {
  FakeWechatPay wechat_pay;
  const auto mock = std::make_shared<MockTransport>();
  mock->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  mock->otherwise([&](const HttpRequest& request) { return wechat_pay.answer(request); });
  const auto transport = std::make_shared<CountingTransport>(mock);

  std::vector<TryEvent> tries;
  ClientOptions options;
  options.hooks.on_try = [&tries](const TryEvent& event) { tries.push_back(event); };
  const auto client =
      BonusCommitClient::create(wechat_pay.credentials(), wechat_pay.platform_keys(), transport, options);
  expect(client.has_value(), "a client is made");

  const BonusCommitRequest request{"478515832665", "478515832665", "1217752501201407033233368018",
                                   "1230000109",   "1900000109",   30};
  const CommitResult result = client->commit(request);
  expect(result.transform([](const CommitReceipt& receipt) { return receipt.tries; }).value_or(0) == 2, "a receipt");
  const CommitResult again = client->commit_async(request).get();
  expect(again && again->request_id != result.value().request_id, "each call has its own receipt");
  expect(transport->sent == 3, "each try is sent once");
  expect(tries.size() == 3 && tries[1].result.http_status() == 204, "hooks are told");

  const auto refused = Credentials::from_key("not digits", "1", "no key");
  expect(refused.transform_error([](Error error) {
                  error.message = "no credentials";
                  return error;
                })
                 .error()
                 .to_string() == "invalid configuration: no credentials",
         "an error is worded");
  return failures;
}

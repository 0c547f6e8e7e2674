// What each stage costs by itself, and what all of them cost together without RSA.
#include <benchmark/benchmark.h>

#include "tests/benchmark/commits.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/stages/body.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr std::int64_t now = 1554208460;
constexpr const char* nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";

FakeWechatPay& wechat_pay() {
  static FakeWechatPay made{{"1900000001", [] { return at(now); }}};
  return made;
}

void check_request(benchmark::State& state) {
  const BonusCommitRequest request = seed_request();
  for (auto _ : state) benchmark::DoNotOptimize(request.check());
}
BENCHMARK(check_request);

void serialize_and_encode_the_path(benchmark::State& state) {
  const BonusCommitRequest request = seed_request();
  for (auto _ : state) {
    benchmark::DoNotOptimize(serialize(request));
    benchmark::DoNotOptimize(request_path(request));
  }
}
BENCHMARK(serialize_and_encode_the_path);

void make_a_nonce(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(random_nonce());
}
BENCHMARK(make_a_nonce);

void authorization_without_rsa(benchmark::State& state) {
  const auto credentials = free_credentials();
  for (auto _ : state) {
    benchmark::DoNotOptimize(authorization(credentials, {"POST", seed_path, now, nonce, seed_body}));
  }
}
BENCHMARK(authorization_without_rsa);

void sign(benchmark::State& state) {
  const Credentials credentials = wechat_pay().credentials();
  const std::string message = signing_message({"POST", seed_path, now, nonce, seed_body});
  for (auto _ : state) benchmark::DoNotOptimize(credentials.signer().sign(message));
}
BENCHMARK(sign)->UseRealTime();
BENCHMARK(sign)->UseRealTime()->Threads(2);

void verify_an_answer(benchmark::State& state) {
  const auto keys = wechat_pay().platform_keys();
  const HttpResponse answer = signed_204(wechat_pay());
  for (auto _ : state) benchmark::DoNotOptimize(verify(answer, keys, at(now)));
}
BENCHMARK(verify_an_answer);

/// A whole commit through a transport that answers at once, with a signer that signs at once. The remaining cost is
/// verify_an_answer and our own work. Our own work is the difference between this figure and verify_an_answer.
void commit_without_network_and_signing(benchmark::State& state) {
  ClientOptions options;
  options.clock = [] { return at(now); };
  options.refuse_repeated_nonces = false;
  const auto client = BonusCommitClient::create(free_credentials(), wechat_pay().platform_keys(),
                                                std::make_shared<FreeTransport>(signed_204(wechat_pay())), options)
                          .value();
  const BonusCommitRequest request = seed_request();
  for (auto _ : state) {
    client.commit_async(request, [](const CommitResult& result) { benchmark::DoNotOptimize(result.has_value()); });
  }
}
BENCHMARK(commit_without_network_and_signing);

}  // namespace
}  // namespace wechatpay::bonus_commit

BENCHMARK_MAIN();

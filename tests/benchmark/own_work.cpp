// What a commit costs apart from the network: our own work in all stages together, and RSA on two threads.
#include <string>
#include <thread>
#include <vector>

#include "tests/benchmark/commits.hpp"
#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/benchmark/nginx.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr const char* why_own_work =
    "OpenSSL's random generator is asked for each nonce, so that a fork repeats none; by callgrind, the rest is spread "
    "thinly";
constexpr const char* why_two_threads = "it wants two cores on which nothing else runs";

volatile std::size_t kept;  // keeps the compiler from optimizing away the measured code

/// The RSA share of handling a commit's answer: the bare verification.
class BareVerification {
 public:
  BareVerification(const FakeWechatPay& wechat_pay, const HttpResponse& answer)
      : keys_(wechat_pay.platform_keys()),
        serial_(wechat_pay.public_key_id()),
        message_(verification_message(header_value(answer.headers, "Wechatpay-Timestamp"),
                                      header_value(answer.headers, "Wechatpay-Nonce"), answer.body)),
        signature_(decode_base64(header_value(answer.headers, "Wechatpay-Signature")).value()) {}

  void operator()() const { require(keys_.verify(serial_, message_, signature_) == PlatformKeys::Verdict::valid); }

 private:
  PlatformKeys keys_;
  std::string serial_;
  std::string message_;
  std::string signature_;
};

template <typename Work>
double cpu_of_each(int count, const Work& work) {
  return measure(count,
                 [&] {
                   for (int i = 0; i < count; ++i) work();
                 })
      .cpu;
}

/// A whole commit with a real signer and a transport that answers at once, minus the bare verification, minus the copy
/// of the answer, which replaces the network.
void own_work(const Arguments& arguments, Figures& figures) {
  const int count = arguments.brief ? 1000 : 20000;
  const FakeWechatPay wechat_pay;
  const HttpResponse answer = signed_204(wechat_pay);
  ClientOptions options;
  options.refuse_repeated_nonces = false;  // the transport always gives the same answer
  const auto client = BonusCommitClient::create(free_credentials(), wechat_pay.platform_keys(),
                                                std::make_shared<FreeTransport>(answer), options)
                          .value();
  const BonusCommitRequest request = seed_request();
  const BareVerification verify_barely(wechat_pay, answer);
  std::vector<double> own;
  std::vector<double> nonces;
  for (int round = 0; round <= arguments.rounds(); ++round) {
    const double whole = cpu_of_each(
        count, [&] { client.commit_async(request, [](const CommitResult& result) { require(result.has_value()); }); });
    const double rsa = cpu_of_each(count, verify_barely);
    const double copy = cpu_of_each(count, [&] { kept = Result<HttpResponse>(answer)->headers.size(); });
    const double nonce = cpu_of_each(count, [] { kept = random_nonce()->size(); });
    if (round == 0) continue;  // fills caches
    own.push_back(whole - rsa - copy);
    nonces.push_back(nonce);
  }
  figures.add(Row{"All of our own work in a commit, besides RSA", median(own), "us", "at most", 3, why_own_work});
  figures.add(Row{"of which OpenSSL's random generator, for the nonce", median(nonces), "us"});
}

double signatures_per_second(const Signer& signer, int each, int threads) {
  const std::string message = signing_message({"POST", seed_path, 1554208460, std::string(32, 'A'), seed_body});
  const auto begin = Clock::now();
  std::vector<std::thread> signing;
  for (int i = 0; i < threads; ++i) {
    signing.emplace_back([&] {
      for (int k = 0; k < each; ++k) require(signer.sign(message).has_value());
    });
  }
  for (std::thread& one : signing) one.join();
  return each * threads / seconds_between(begin, Clock::now());
}

void two_threads(const Arguments& arguments, Figures& figures) {
  const int each = arguments.brief ? 200 : 2000;
  const Credentials credentials = FakeWechatPay().credentials();
  std::vector<double> ratios;
  for (int round = 0; round <= arguments.rounds(); ++round) {
    const double one = signatures_per_second(credentials.signer(), each, 1);
    const double two = signatures_per_second(credentials.signer(), each, 2);
    if (round > 0) ratios.push_back(two / one);
  }
  figures.add(Row{"Signing on two threads with one client, against one thread", median(ratios), "x", "at least", 1.9,
                  why_two_threads});
}

void measure_all(const Arguments& arguments) {
  Figures figures(arguments.figures);
  two_threads(arguments, figures);  // on both cores
  pin_to_core(0);
  own_work(arguments, figures);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** values) { wechatpay::bonus_commit::measure_all({count, values}); }

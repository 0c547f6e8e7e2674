// Whole commits against nginx on the other core: ours and the baseline's by turns, client CPU time by getrusage.
//   end_to_end NGINX [--short]
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "tests/benchmark/baseline.hpp"
#include "tests/benchmark/nginx.hpp"

namespace wechatpay {
namespace {

using Clock = std::chrono::steady_clock;

struct Cost {
  double cpu = 0;   ///< microseconds a commit
  double wall = 0;  ///< microseconds a commit
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Cost measure(int commits, const std::function<void()>& work) {
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  work();
  const double used = cpu_seconds() - cpu;
  const std::chrono::duration<double> passed = Clock::now() - begin;
  return {used * 1e6 / commits, passed.count() * 1e6 / commits};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Rounds of one and the other by turns; the ratios are taken within a round, so that what the machine does besides
/// meets both.
void compare(const char* what, int rounds, int commits, const std::function<void()>& baseline,
             const std::function<void()>& ours) {
  std::vector<double> cpu_ratios;
  std::vector<double> speed_ratios;
  std::vector<double> baseline_cpu;
  std::vector<double> our_cpu;
  std::vector<double> our_wall;
  for (int round = 0; round <= rounds; ++round) {
    const bool swapped = round % 2 == 1;
    Cost first = measure(commits, swapped ? ours : baseline);
    Cost second = measure(commits, swapped ? baseline : ours);
    if (swapped) std::swap(first, second);
    if (round == 0) continue;  // connections, caches
    cpu_ratios.push_back(second.cpu / first.cpu);
    speed_ratios.push_back(first.wall / second.wall);
    baseline_cpu.push_back(first.cpu);
    our_cpu.push_back(second.cpu);
    our_wall.push_back(second.wall);
  }
  std::printf("| %s | %.0f us | %.0f us | **%.3f** | %.3f | %.0f /s |\n", what, median(baseline_cpu), median(our_cpu),
              median(cpu_ratios), median(speed_ratios), 1e6 / median(our_wall));
  std::fflush(stdout);
}

/// Keeps `in_flight` commits under way until `count` have ended.
void commit_many(const BonusCommitClient& client, const BonusCommitRequest& request, int count, int in_flight) {
  struct State {
    std::atomic<int> to_start;
    std::atomic<int> to_end;
    std::promise<void> ended;
    std::function<void(const CommitResult&)> next;
  };
  State state{{count - in_flight}, {count}, {}, {}};
  state.next = [&](const CommitResult& result) {
    require(result.has_value());
    if (state.to_start.fetch_sub(1) > 0) client.commit_async(request, state.next);
    if (--state.to_end == 0) state.ended.set_value();
  };
  for (int i = 0; i < in_flight; ++i) client.commit_async(request, state.next);
  state.ended.get_future().wait();
}

BonusCommitClient client_of(const FakeWechatPay& wechat_pay, const std::string& origin, std::size_t connections) {
  CurlOptions curl_options;
  curl_options.ca_bundle_file = RawServer::ca_file();
  curl_options.max_connections = connections;
  ClientOptions options;
  options.origins = {origin};
  options.deadline = std::chrono::minutes(4);
  return BonusCommitClient::create(wechat_pay.credentials(), wechat_pay.platform_keys(),
                                   CurlTransport::create(curl_options).value(), options)
      .value();
}

int compare_all(const std::string& nginx, bool brief) {
  pin_to_core(0);
  const int rounds = brief ? 1 : 15;
  const int commits = brief ? 100 : 500;
  FakeWechatPay wechat_pay;
  const BonusCommitRequest request = seed_request();
  std::printf(
      "| | baseline CPU | our CPU | CPU ratio | throughput ratio | our throughput |\n|---|---|---|---|---|---|\n");
  for (const bool http2 : {false, true}) {
    const std::string protocol = http2 ? "HTTP/2" : "HTTP/1.1";
    const Nginx server(nginx, http2, wechat_pay);
    Baseline baseline(wechat_pay, server.origin(), request, http2);
    const BonusCommitClient client = client_of(wechat_pay, server.origin(), 64);
    compare((protocol + ", one at a time").c_str(), rounds, commits, [&] { baseline.commit(commits); },
            [&] {
              for (int i = 0; i < commits; ++i) require(client.commit(request).has_value());
            });
    compare((protocol + ", 64 in flight").c_str(), rounds, 4 * commits, [&] { baseline.commit_many(4 * commits, 64); },
            [&] { commit_many(client, request, 4 * commits, 64); });
  }
  return 0;
}

}  // namespace
}  // namespace wechatpay

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: end_to_end NGINX [--short]\n");
    return 2;
  }
  return wechatpay::compare_all(arguments[1], count > 2 && std::string(arguments[2]) == "--short");
}

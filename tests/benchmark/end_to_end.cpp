// Whole commits against nginx on the other core. The library and the baseline take turns. Client CPU time is from
// getrusage.
#include <atomic>
#include <string>

#include "tests/benchmark/baseline.hpp"
#include "tests/benchmark/commits.hpp"
#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/benchmark/nginx.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* why_in_flight =
    "by callgrind it runs about 4 % more instructions than by hand, for its checks, its copies and its memory; and two "
    "threads take turns on one core";
constexpr const char* why_cpu = "a caller waits for the transport's thread, which costs two changes of threads";

void one_at_a_time(const std::string& protocol, const Comparison& compared, Figures& figures) {
  const std::string what = protocol + ", one at a time";
  figures.add(Row{what + ": CPU against the same by hand", compared.cpu_ratio, "x", "at most", 1.12, why_cpu});
  figures.add(Row{what + ": throughput", compared.throughput_ratio, "x"});
  figures.add(Bars{what, compared.first_cpu, compared.second_cpu});
}

void many_in_flight(const std::string& protocol, const Comparison& compared, Figures& figures) {
  const std::string what = protocol + ", 64 in flight";
  figures.add(Row{what + ": CPU against the same by hand", compared.cpu_ratio, "x", "at most", 1.05, why_in_flight});
  figures.add(Row{what + ": throughput", compared.throughput_ratio, "x", "at least", 0.97, why_in_flight});
  figures.add(Bars{what, compared.first_cpu, compared.second_cpu});
}

void many_threads(const std::string& protocol, const Comparison& compared, Figures& figures) {
  figures.add(Row{protocol + ", 16 threads that call commit(): CPU against 16 in flight by hand", compared.cpu_ratio,
                  "x", "at most", 1.12});
}

void connections(const BonusCommitClient& client, const std::atomic<int>& opened, Figures& figures) {
  Orders orders;
  commit_backlog(client, orders, 256, 64);
  figures.add(Row{"HTTP/2, 64 in flight: connections", static_cast<double>(opened), "", "at most", 2});
}

void compare_all(const Arguments& arguments) {
  pin_to_core(0);
  Figures figures(arguments.figures);
  const int rounds = arguments.rounds(15);
  const int few = arguments.brief ? 100 : 500;
  const int many = 4 * few;
  const FakeWechatPay wechat_pay;
  for (const bool http2 : {false, true}) {
    const std::string protocol = http2 ? "HTTP/2" : "HTTP/1.1";
    const Nginx server(arguments.nginx, http2, wechat_pay);
    Baseline baseline(wechat_pay, server.origin(), http2);
    const BonusCommitClient client = client_of(wechat_pay.credentials(), wechat_pay, server.origin());
    Orders orders;
    one_at_a_time(protocol,
                  compare(
                      rounds, few, [&] { baseline.commit(few); }, [&] { commit_one_by_one(client, orders, few); }),
                  figures);
    many_in_flight(
        protocol,
        compare(
            rounds, many, [&] { baseline.commit_many(many, 64); }, [&] { commit_backlog(client, orders, many, 64); }),
        figures);
    many_threads(protocol,
                 compare(
                     rounds, many, [&] { baseline.commit_many(many, 16); },
                     [&] { commit_by_threads(client, orders, many, 16); }),
                 figures);
    if (!http2) continue;
    std::atomic<int> opened{0};
    ClientOptions options;
    options.hooks.on_try = [&opened](const TryEvent& event) {
      opened += event.result.transfer.connection_reused ? 0 : 1;
    };
    connections(client_of(wechat_pay.credentials(), wechat_pay, server.origin(), 64, options), opened, figures);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** values) { wechatpay::bonus_commit::compare_all({count, values}); }

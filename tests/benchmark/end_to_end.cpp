// Whole commits against nginx on the other core: ours and the baseline's by turns, client CPU time by getrusage.
#include <string>

#include "tests/benchmark/baseline.hpp"
#include "tests/benchmark/commits.hpp"
#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/benchmark/nginx.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* why_cpu =
    "a caller waits for the transport's thread, which costs two changes of threads; before, it served its own call";

void one_at_a_time(const std::string& protocol, const Comparison& compared, Figures& figures) {
  const std::string what = protocol + ", one at a time";
  figures.add(Row{what + ": CPU against the same by hand", compared.cpu_ratio, "x", "at most", 1.12, why_cpu});
  figures.add(Row{what + ": throughput", compared.throughput_ratio, "x"});
  figures.add(Bars{what, compared.first_cpu, compared.second_cpu});
}

void many_in_flight(const std::string& protocol, const Comparison& compared, Figures& figures) {
  const std::string what = protocol + ", 64 in flight";
  figures.add(Row{what + ": CPU against the same by hand", compared.cpu_ratio, "x", "at most", 1.05});
  figures.add(Row{what + ": throughput", compared.throughput_ratio, "x", "at least", 0.95});
  figures.add(Bars{what, compared.first_cpu, compared.second_cpu});
}

void compare_all(const Arguments& arguments) {
  pin_to_core(0);
  Figures figures(arguments.figures);
  const int rounds = arguments.rounds(15);
  const int few = arguments.brief ? 100 : 500;
  const int many = 4 * few;
  const FakeWechatPay wechat_pay;
  const BonusCommitRequest request = seed_request();
  for (const bool http2 : {false, true}) {
    const std::string protocol = http2 ? "HTTP/2" : "HTTP/1.1";
    const Nginx server(arguments.nginx, http2, wechat_pay);
    Baseline baseline(wechat_pay, server.origin(), request, http2);
    const BonusCommitClient client = client_of(wechat_pay.credentials(), wechat_pay, server.origin());
    one_at_a_time(protocol,
                  compare(
                      rounds, few, [&] { baseline.commit(few); }, [&] { commit_one_by_one(client, request, few); }),
                  figures);
    many_in_flight(
        protocol,
        compare(
            rounds, many, [&] { baseline.commit_many(many, 64); }, [&] { CommitMany(client, request, many, 64); }),
        figures);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** values) { wechatpay::bonus_commit::compare_all({count, values}); }

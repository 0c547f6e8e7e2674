// Many calls: in flight, started at once, one after another. The server is nginx on the other core.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/benchmark/baseline.hpp"
#include "tests/benchmark/commits.hpp"
#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/benchmark/nginx.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* why_connected =
    "libcurl looks at every connection whenever it waits or works; the same by hand is two rows below";

constexpr const char* why_memory =
    "each call keeps its path and body for further tries, and its signatures, which no error may repeat";

/// In bytes. glibc's caches of freed blocks count as used, and grow to some 10 KiB in each thread. A leak of one byte
/// per commit adds up to a million bytes.
constexpr double no_growth = 65536;

/// "4,096"
std::string grouped(int number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

/// nginx, and clients with a fixed clock, because nginx's only answer is valid for five minutes.
struct Stand {
  Stand(const Arguments& arguments, const FakeWechatPay& wechat_pay_)
      : wechat_pay(wechat_pay_), server(arguments.nginx, false, wechat_pay) {
    options.clock = [now = std::chrono::system_clock::now()] { return now; };
  }

  BonusCommitClient client(const Credentials& credentials, int connections = 64) const {
    return client_of(credentials, wechat_pay, server.origin(), static_cast<std::size_t>(connections), options);
  }

  const FakeWechatPay& wechat_pay;
  const Nginx server;
  const BonusCommitRequest request = seed_request();
  ClientOptions options;
};

/// Gives the transport's thread time to finish its work.
void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(300)); }

/// Calls that are started at once, and the time at which each of them ended. The server answers none of them until all
/// are started.
class Burst {
 public:
  Burst(const BonusCommitClient& client, const Stand& stand, int calls)
      : ended_(static_cast<std::size_t>(calls)), unended_(calls) {
    stand.server.halt();
    const double before = heap_bytes();
    for (Clock::time_point& ended : ended_) {
      client.commit_async(stand.request, [this, &ended](const CommitResult& result) { end(ended, result); });
    }
    settle();
    heap_ = heap_bytes() - before;
    answered_from_ = Clock::now();
    stand.server.go_on();
    all_ended_.get_future().wait();
  }

  /// KiB that each additional call holds, compared with `few`, which includes the memory of the connections.
  double memory_of_each_beyond(const Burst& few) const {
    return (heap_ - few.heap_) / static_cast<double>(ended_.size() - few.ended_.size()) / 1024;
  }

  /// How long each call waited for its end, relative to a queue in which calls end at the same moments but in the order
  /// in which they were started. Ascending. The percentiles of the waiting time itself would be almost the same in any
  /// order.
  std::vector<double> waiting_against_fair() const {
    std::vector<Clock::time_point> fairly_ended = ended_;
    std::sort(fairly_ended.begin(), fairly_ended.end());
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ended_.size(); ++i) {
      ratios.push_back(seconds_between(answered_from_, ended_[i]) / seconds_between(answered_from_, fairly_ended[i]));
    }
    std::sort(ratios.begin(), ratios.end());
    return ratios;
  }

 private:
  void end(Clock::time_point& ended, const CommitResult& result) {
    require(result.has_value());
    ended = Clock::now();
    if (--unended_ == 0) all_ended_.set_value();
  }

  std::vector<Clock::time_point> ended_;
  std::atomic<int> unended_;
  std::promise<void> all_ended_;
  Clock::time_point answered_from_;
  double heap_ = 0;  ///< bytes, with all calls in progress
};

void throughput(const Arguments& arguments, const FakeWechatPay& wechat_pay, Figures& figures) {
  const int in_flight = arguments.brief ? 512 : 4096;
  const Stand stand(arguments, wechat_pay);
  Orders orders;
  const BonusCommitClient few = stand.client(wechat_pay.credentials());
  for (const int connections : {64, in_flight}) {
    const BonusCommitClient many = stand.client(wechat_pay.credentials(), connections);
    const int count = 2 * in_flight;
    const Comparison compared = compare(
        arguments.rounds(), count, [&] { CommitMany(few, orders, count, 64); },
        [&] { CommitMany(many, orders, count, in_flight); });
    const std::string what =
        grouped(in_flight) + " calls in flight on " + grouped(connections) + " connections, against 64: ";
    figures.add(Row{what + "throughput", compared.throughput_ratio, "x", "at least", 0.95,
                    connections == 64 ? "" : why_connected});
    figures.add(Row{what + "CPU", compared.cpu_ratio, "x"});
  }
  Baseline by_hand(wechat_pay, stand.server.origin(), false);
  const int count = 2 * in_flight;
  const Comparison compared = compare(
      arguments.rounds(), count, [&] { by_hand.commit_many(count, 64); },
      [&] { by_hand.commit_many(count, in_flight); });
  figures.add(Row{grouped(in_flight) + " connections by hand, against 64: CPU", compared.cpu_ratio, "x"});
}

/// The same burst as the one below, but with real signatures.
void given_at_once_and_signed(const Arguments& arguments, const FakeWechatPay& wechat_pay, Figures& figures) {
  const int all = arguments.brief ? 2000 : 100000;
  const Stand stand(arguments, wechat_pay);
  const BonusCommitClient client = stand.client(wechat_pay.credentials());
  std::atomic<int> credited{0};
  std::promise<void> ended;
  std::atomic<int> unended{all};
  const auto begin = Clock::now();
  for (int i = 0; i < all; ++i) {
    client.commit_async(stand.request, [&](const CommitResult& result) {
      if (result) ++credited;
      if (--unended == 0) ended.set_value();
    });
  }
  ended.get_future().wait();
  const std::string what = grouped(all) + " calls given at once: ";
  figures.add(Row{what + "credited", static_cast<double>(credited), "", "at least", static_cast<double>(all), ""});
  figures.add(Row{what + "a second", all / seconds_between(begin, Clock::now()), ""});
}

/// With a signer that signs at once. Otherwise signing would take longer than serving, and no queue would build up.
void given_at_once(const Arguments& arguments, const FakeWechatPay& wechat_pay, Figures& figures) {
  const int all = arguments.brief ? 2000 : 100000;
  const int fewer = arguments.brief ? 512 : 4096;
  const Stand stand(arguments, wechat_pay);
  std::vector<double> memory_of_fewer;
  std::vector<double> memory;
  std::vector<double> waiting;
  std::vector<double> greatest_waiting;
  for (int round = 0; round < arguments.rounds(); ++round) {
    const BonusCommitClient client = stand.client(free_credentials());
    Orders orders;
    CommitMany(client, orders, 1000, 64);  // opens the connections
    const Burst connected(client, stand, 64);
    const auto memory_of_each = [&](const Burst& burst) { return burst.memory_of_each_beyond(connected); };
    memory_of_fewer.push_back(memory_of_each(Burst(client, stand, fewer)));
    const Burst whole(client, stand, all);
    memory.push_back(std::max({memory_of_each(Burst(client, stand, all / 4)),
                               memory_of_each(Burst(client, stand, all / 2)), memory_of_each(whole)}));
    const std::vector<double> ratios = whole.waiting_against_fair();
    waiting.push_back(ratios[ratios.size() * 99 / 100]);
    greatest_waiting.push_back(ratios.back());
  }
  const std::string what = grouped(all) + " calls given at once, signed at no cost";
  figures.add(Row{grouped(fewer) + " calls in flight: memory of each beyond the connections' own",
                  median(memory_of_fewer), "KiB", "at most", 8});
  figures.add(
      Row{what + ": memory of each, the most at " + grouped(all / 4) + ", " + grouped(all / 2) + " and " + grouped(all),
          median(memory), "KiB", "at most", 4, why_memory});
  figures.add(Row{what + ": waiting of each against that in a fair queue, 99th percentile", median(waiting), "x",
                  "at most", 1.2});
  figures.add(Row{what + ": the same, the greatest", median(greatest_waiting), "x"});
}

struct Memory {
  double heap = 0;
  double resident = 0;
};

/// Reading a file allocates memory as well, so the heap is measured after it.
Memory memory_now() {
  long size = 0;
  long pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return {heap_bytes(), static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

void one_after_another(const Arguments& arguments, const FakeWechatPay& wechat_pay, Figures& figures) {
  const int count = arguments.brief ? 3000 : 1000000;
  const Stand stand(arguments, wechat_pay);
  const BonusCommitClient client = stand.client(free_credentials());
  Orders orders;
  const auto memory_after = [&](int commits) {
    commit_one_by_one(client, orders, commits);
    settle();
    return memory_now();
  };
  const Memory first = memory_after(1000);
  const Memory last = memory_after(count - 1000);
  const std::string what = grouped(count) + " commits one after another: growth of ";
  figures.add(Row{what + "the heap after the first thousand", last.heap - first.heap, "bytes", "at most", no_growth});
  figures.add(Row{what + "resident memory", last.resident - first.resident, "bytes"});
}

/// Each connection is an open file, in this process and in nginx.
void allow_many_files(rlim_t needed) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  if (files.rlim_max < needed || setrlimit(RLIMIT_NOFILE, &files) != 0) {
    throw std::runtime_error("ulimit -Hn must be " + std::to_string(needed) + " or more");
  }
}

void measure_all(const Arguments& arguments) {
  allow_many_files(arguments.brief ? 1024 : 10000);
  pin_to_core(0);
  Figures figures(arguments.figures);
  const FakeWechatPay wechat_pay;
  one_after_another(arguments, wechat_pay, figures);
  throughput(arguments, wechat_pay, figures);
  given_at_once_and_signed(arguments, wechat_pay, figures);
  given_at_once(arguments, wechat_pay, figures);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** values) { wechatpay::bonus_commit::measure_all({count, values}); }

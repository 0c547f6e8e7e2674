/// How the benchmarks measure: they take turns, so that other load on the machine affects all of them equally, and they
/// use medians.
#ifndef WECHATPAY_TESTS_BENCHMARK_MEASURING_HPP
#define WECHATPAY_TESTS_BENCHMARK_MEASURING_HPP

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

namespace wechatpay::bonus_commit {

using Clock = std::chrono::steady_clock;

inline void require(bool done) {
  if (!done) std::abort();
}

inline double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// CPU seconds of this process, or of its ended children.
inline double cpu_seconds(int whose = RUSAGE_SELF) {
  rusage usage{};
  getrusage(whose, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Memory that the program has allocated, in bytes.
inline double heap_bytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

/// In microseconds per commit.
struct Cost {
  double cpu = 0;
  double wall = 0;
};

inline Cost measure(int commits, const std::function<void()>& work) {
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  work();
  const double used = cpu_seconds() - cpu;
  return {used * 1e6 / commits, seconds_between(begin, Clock::now()) * 1e6 / commits};
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The second compared with the first.
struct Comparison {
  double cpu_ratio = 0;
  double throughput_ratio = 0;
  double first_cpu = 0;   ///< microseconds per commit
  double second_cpu = 0;  ///< microseconds per commit
};

/// Runs both alternately, round by round. Each ratio compares the two runs of one round.
inline Comparison compare(int rounds, int commits, const std::function<void()>& first,
                          const std::function<void()>& second) {
  std::vector<double> cpu_ratios;
  std::vector<double> throughput_ratios;
  std::vector<double> first_cpu;
  std::vector<double> second_cpu;
  for (int round = 0; round <= rounds; ++round) {
    const bool swapped = round % 2 == 1;
    Cost one = measure(commits, swapped ? second : first);
    Cost other = measure(commits, swapped ? first : second);
    if (swapped) std::swap(one, other);
    if (round == 0) continue;  // sets up connections and caches
    cpu_ratios.push_back(other.cpu / one.cpu);
    throughput_ratios.push_back(one.wall / other.wall);
    first_cpu.push_back(one.cpu);
    second_cpu.push_back(other.cpu);
  }
  return {median(cpu_ratios), median(throughput_ratios), median(first_cpu), median(second_cpu)};
}

}  // namespace wechatpay::bonus_commit

#endif

/// The resources that this process holds: memory, files, threads.
#ifndef WECHATPAY_TESTS_SOAK_PROCESS_HPP
#define WECHATPAY_TESTS_SOAK_PROCESS_HPP

#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/sanitizers.hpp"

namespace wechatpay::bonus_commit {

/// A sanitizer has its own allocator, which keeps freed memory. It checks for leaks itself.
inline constexpr bool memory_tells = !with_address_sanitizer && !with_thread_sanitizer;

struct Holdings {
  std::size_t allocated = 0;    ///< bytes that malloc() has given out
  std::size_t resident = 0;     ///< bytes of memory that only this process uses
  std::size_t files = 0;        ///< open files, including sockets
  std::size_t connections = 0;  ///< sockets that are connected to a host
  std::size_t threads = 0;
};

inline Holdings holdings() {
  namespace fs = std::filesystem;
  Holdings now;
  malloc_trim(0);
  const struct mallinfo2 heap = mallinfo2();
  now.allocated = heap.uordblks + heap.hblkhd;
  std::size_t pages = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident >> shared;
  now.resident = (resident - shared) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const auto& file : fs::directory_iterator("/proc/self/fd")) {
    ++now.files;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int number = std::atoi(file.path().filename().c_str());
    if (getpeername(number, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.ss_family == AF_INET) {
      ++now.connections;
    }
  }
  for (const auto& thread : fs::directory_iterator("/proc/self/task")) {
    static_cast<void>(thread);
    ++now.threads;
  }
  return now;
}

/// The holdings as soon as `settled` returns true for them, or after ten seconds. The kernel may count a thread for a
/// moment after it was joined, and a busy machine may close a connection late.
template <typename Settled>
Holdings holdings_when(const Settled& settled) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Holdings now = holdings();
  while (!settled(now) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    now = holdings();
  }
  return now;
}

/// The CPU time that this process has used, in all its threads.
inline std::chrono::microseconds processor_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

}  // namespace wechatpay::bonus_commit

#endif

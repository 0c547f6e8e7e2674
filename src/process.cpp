#include "src/process.hpp"

#include <atomic>

#if !defined(_WIN32)
#include <pthread.h>
#include <unistd.h>
#endif

namespace wechatpay {

unsigned this_process() noexcept {
#if defined(_WIN32)
  return 0;
#else
  static std::atomic<unsigned> forks{0};
  static const bool counted = pthread_atfork(nullptr, nullptr, [] { ++forks; }) == 0;
  return counted ? forks.load() : static_cast<unsigned>(getpid());
#endif
}

}  // namespace wechatpay

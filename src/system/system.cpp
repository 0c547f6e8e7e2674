#include "wechatpay/bonus_commit/impl/system.hpp"

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#endif

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

#if defined(_WIN32)

unsigned this_process() noexcept { return 0; }
NoThreadCancellation::NoThreadCancellation() noexcept = default;
NoThreadCancellation::~NoThreadCancellation() = default;

#else

unsigned this_process() noexcept {
  static std::atomic<unsigned> forks{0};
  static const bool counted = pthread_atfork(nullptr, nullptr, [] { ++forks; }) == 0;
  return counted ? forks.load() : static_cast<unsigned>(getpid());
}

NoThreadCancellation::NoThreadCancellation() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
NoThreadCancellation::~NoThreadCancellation() { pthread_setcancelstate(before_, nullptr); }

#endif

void let_running_threads_finish() noexcept {
#if defined(__linux__)
  const sched_param no_priority{};
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  static_cast<void>(sched_setscheduler(0, SCHED_BATCH, &no_priority));
#endif
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

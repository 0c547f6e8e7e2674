/// Process and thread functions that the standard library does not have. src/system/system.cpp asks the operating
/// system.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_SYSTEM_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_SYSTEM_HPP

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Identifies this process: the number changes with each fork(). An object that remembers the number of its
/// construction can tell that it is in a child process, where a thread that does not exist may hold the parent's mutex.
/// Costs no system call.
unsigned this_process() noexcept;

/// While this object exists, pthread_cancel() does not end this thread: a cancellation that unwinds a noexcept function
/// would end the process. The cancellation takes effect afterwards.
class NoThreadCancellation {
 public:
  NoThreadCancellation() noexcept;
  NoThreadCancellation(const NoThreadCancellation&) = delete;
  NoThreadCancellation& operator=(const NoThreadCancellation&) = delete;
  ~NoThreadCancellation();

 private:
  int before_ = 0;  ///< the state to restore
};

/// From now on, a wake-up of this thread does not interrupt a running thread: this one runs on a free core, or after
/// the other's turn (SCHED_BATCH). Threads and processes that it starts inherit this. Does nothing if the thread has a
/// scheduling policy of its own, if the system forbids it, and on systems other than Linux.
void let_running_threads_finish() noexcept;

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

/// What the standard library does not know of processes and threads. src/system/system.cpp asks the operating system.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_SYSTEM_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_SYSTEM_HPP

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Which process this is: changes with each fork(). What an object remembers at its making differs in a child, where a
/// mutex of the parent's may be held by a thread that is not there. Costs no system call.
unsigned this_process() noexcept;

/// While it exists, pthread_cancel() does not end this thread: a cancellation that unwinds a noexcept function ends the
/// process. It takes effect afterwards.
class NoThreadCancellation {
 public:
  NoThreadCancellation() noexcept;
  NoThreadCancellation(const NoThreadCancellation&) = delete;
  NoThreadCancellation& operator=(const NoThreadCancellation&) = delete;
  ~NoThreadCancellation();

 private:
  int before_ = 0;  ///< the state to go back to
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

/// pthread_cancel() on threads of the user's that are at work for this library.
#ifndef WECHATPAY_SRC_THREAD_CANCELLATION_HPP
#define WECHATPAY_SRC_THREAD_CANCELLATION_HPP

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace wechatpay {

/// While it exists, this thread is not cancelled: a cancellation that unwinds a noexcept function ends the process. It
/// takes effect afterwards.
class NoThreadCancellation {
 public:
#if defined(_WIN32)
  NoThreadCancellation() = default;
#else
  NoThreadCancellation() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoThreadCancellation() { pthread_setcancelstate(before_, nullptr); }
#endif
  NoThreadCancellation(const NoThreadCancellation&) = delete;
  NoThreadCancellation& operator=(const NoThreadCancellation&) = delete;

#if !defined(_WIN32)
 private:
  int before_ = 0;
#endif
};

}  // namespace wechatpay

#endif

/// Waits for the end of a thread that cannot be joined.
#ifndef WECHATPAY_TESTS_THREAD_EXIT_HPP
#define WECHATPAY_TESTS_THREAD_EXIT_HPP

#include <future>

namespace wechatpay::bonus_commit {

/// Sets `ended` when the calling thread ends. ThreadSanitizer does not support set_value_at_thread_exit().
inline void set_at_thread_exit(std::promise<void>& ended) {
  struct AtExit {
    std::promise<void>* ended = nullptr;
    ~AtExit() { ended->set_value(); }
  };
  thread_local AtExit at_exit;
  at_exit.ended = &ended;
}

}  // namespace wechatpay::bonus_commit

#endif

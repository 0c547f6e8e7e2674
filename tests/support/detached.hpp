/// A coroutine for tests, for C++20.
#ifndef WECHATPAY_TESTS_DETACHED_HPP
#define WECHATPAY_TESTS_DETACHED_HPP

#include <coroutine>
#include <exception>

namespace wechatpay::bonus_commit {

/// A coroutine that starts at once, and destroys itself at its end, on the thread that runs it then.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

}  // namespace wechatpay::bonus_commit

#endif

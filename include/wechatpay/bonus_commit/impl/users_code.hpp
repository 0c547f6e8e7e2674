/// Calls to the user's code: callbacks, hooks, clocks, signers.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_USERS_CODE_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_USERS_CODE_HPP

#include <utility>

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Whether this thread runs the user's code. A blocking call here would wait for itself.
inline bool& in_callback() noexcept {
  thread_local bool inside = false;
  return inside;
}

/// While this object exists, this thread counts as running the user's code.
class UsersCode {
 public:
  UsersCode() noexcept : outer_(std::exchange(in_callback(), true)) {}
  UsersCode(const UsersCode&) = delete;
  UsersCode& operator=(const UsersCode&) = delete;
  ~UsersCode() { in_callback() = outer_; }

 private:
  const bool outer_;
};

/// Runs the user's callback or hook. An exception that it throws is ignored, as its documentation says: there is no
/// code here that could handle it.
template <typename Code>
void run_users_code(const Code& code) noexcept {
  const UsersCode guard;
  try {
    code();
  } catch (...) {
  }
}

/// The error of a call that is not allowed here.
inline Error misuse(const char* message) {
  Error error;
  error.kind = ErrorKind::misuse;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::correct_the_program;
  error.message = message;
  return error;
}

/// The error of a call that fails for lack of memory.
inline Error out_of_memory(Outcome outcome) {
  Error error;
  error.outcome = outcome;
  error.message = "out of memory";
  return error;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

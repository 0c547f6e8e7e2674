/// Calls to the user's code: callbacks, hooks, clocks, signers.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_USERS_CODE_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_USERS_CODE_HPP

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

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

/// Call it where an exception of the user's code was caught: "<who> threw: <what>". Only "out of memory" if that is
/// what was thrown, or if there is no memory for the text.
inline std::string words_of_exception(const char* who) noexcept {
  try {
    std::string words = who;
    try {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& exception) {
      words.append(" threw: ").append(exception.what());
    } catch (...) {
      words.append(" threw what is no std::exception");
    }
    return printable(without_signatures(words), 1000);
  } catch (...) {
    return "out of memory";
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

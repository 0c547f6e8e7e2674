/// OpenSSL while the process ends.
#ifndef WECHATPAY_SRC_OPENSSL_OPENSSL_USE_HPP
#define WECHATPAY_SRC_OPENSSL_OPENSSL_USE_HPP

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Held while this library uses OpenSSL on its own: threads may do so at the moment of exit(), when OpenSSL frees what
/// they use. From that moment on there is none to be had. Takes two atomic operations. No code of the user's may run
/// while it is held.
class OpensslUse {
 public:
  OpensslUse() noexcept;
  OpensslUse(const OpensslUse&) = delete;
  OpensslUse& operator=(const OpensslUse&) = delete;
  ~OpensslUse();

  /// False where the process is ending: OpenSSL must not be called.
  explicit operator bool() const noexcept { return possible_; }

 private:
  bool possible_;
};

/// The error of what cannot be signed, since there is no OpensslUse to be had.
inline Error process_ends() {
  Error error;
  error.kind = ErrorKind::signing_failed;
  error.outcome = Outcome::not_sent;
  error.message = "the process is ending, and OpenSSL with it";
  return error;
}

WECHATPAY_BONUS_COMMIT_END

#endif

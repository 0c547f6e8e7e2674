/// The use of OpenSSL while the process exits.
#ifndef WECHATPAY_SRC_OPENSSL_OPENSSL_USE_HPP
#define WECHATPAY_SRC_OPENSSL_OPENSSL_USE_HPP

#include "wechatpay/bonus_commit/error.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Exists while this library uses OpenSSL on its own. Other threads may still use OpenSSL when exit() begins; it waits
/// for them before OpenSSL is freed. After exit() has begun, no use is allowed. Costs two atomic operations. The user's
/// code must not run while this object exists.
class OpensslUse {
 public:
  OpensslUse() noexcept;
  OpensslUse(const OpensslUse&) = delete;
  OpensslUse& operator=(const OpensslUse&) = delete;
  ~OpensslUse();

  /// False if the process is exiting: OpenSSL must not be called.
  explicit operator bool() const noexcept { return possible_; }

 private:
  bool possible_;
};

/// The error for what cannot be signed because the process is exiting.
inline Error process_ends() {
  Error error;
  error.kind = ErrorKind::signing_failed;
  error.outcome = Outcome::not_sent;
  error.message = "the process is ending, and OpenSSL with it";
  return error;
}

WECHATPAY_BONUS_COMMIT_END

#endif

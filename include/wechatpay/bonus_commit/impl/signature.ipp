#ifndef WECHATPAY_BONUS_COMMIT_IMPL_SIGNATURE_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_SIGNATURE_IPP

#include "wechatpay/bonus_commit/stages/signature.hpp"

#include <new>
#include <utility>

#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

WECHATPAY_BONUS_COMMIT_DECL Result<std::string> sign(const Credentials& credentials, const SignedParts& parts) {
  Error error;
  try {
    auto signature = credentials.signer().sign(signing_message(parts));
    if (signature) {
      error.message = fault_of_signature(*signature);
      if (error.message.empty()) return encode_base64(*signature);
      error.remedy = Remedy::correct_setup;
    } else {
      error = std::move(signature).error();
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    error.message = words_of_exception("the Signer");
  }
  error.kind = ErrorKind::signing_failed;
  error.outcome = Outcome::not_sent;
  error.message = printable(without_signatures(error.message), 1000);
  return error;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif

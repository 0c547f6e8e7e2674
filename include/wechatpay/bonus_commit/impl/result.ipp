#ifndef WECHATPAY_BONUS_COMMIT_IMPL_RESULT_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_RESULT_IPP

#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

WECHATPAY_BONUS_COMMIT_DECL BadResultAccess::~BadResultAccess() = default;

namespace stages {

WECHATPAY_BONUS_COMMIT_DECL void throw_bad_result_access(const Error& error) { throw BadResultAccess(error); }

}  // namespace stages

WECHATPAY_BONUS_COMMIT_END

#endif

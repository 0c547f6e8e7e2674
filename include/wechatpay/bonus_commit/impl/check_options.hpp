/// Checks of the options.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_CHECK_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_CHECK_OPTIONS_HPP

#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// Fails with `invalid_configuration` and the name of the first invalid option.
Result<void> check_options(const ClientOptions& options);

/// Fails with `misuse` on invalid options.
Result<void> check_options(const CallOptions& options);

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/check_options.ipp"
#endif

#endif

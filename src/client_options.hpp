/// Which options cannot work.
#ifndef WECHATPAY_SRC_CLIENT_OPTIONS_HPP
#define WECHATPAY_SRC_CLIENT_OPTIONS_HPP

#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

namespace wechatpay {

/// Fails with `invalid_configuration` and the name of the first option that cannot work.
Result<void> check_options(const ClientOptions& options);

/// Fails with `misuse` on options that cannot work.
Result<void> check_options(const CallOptions& options);

}  // namespace wechatpay

#endif

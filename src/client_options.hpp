/// Which options cannot work.
#ifndef WECHATPAY_SRC_CLIENT_OPTIONS_HPP
#define WECHATPAY_SRC_CLIENT_OPTIONS_HPP

#include <optional>

#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

namespace wechatpay {

/// An error of kind `invalid_configuration` that names the first option that cannot work; nothing where all can.
std::optional<Error> check_options(const ClientOptions& options);

/// An error of kind `misuse` for options that cannot work; nothing where all can.
std::optional<Error> check_options(const CallOptions& options);

}  // namespace wechatpay

#endif

/// Whether libcurl uses a proxy's URL as it is written.
#ifndef WECHATPAY_SRC_CURL_PROXY_URL_HPP
#define WECHATPAY_SRC_CURL_PROXY_URL_HPP

#include <optional>
#include <string>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What is wrong with `url`; empty if it is valid. The text quotes nothing of `url`, since it may contain a password.
/// libcurl 7.88 silently drops a proxy whose user or password it cannot decode, and connects directly.
std::optional<std::string> proxy_fault(const std::string& url);

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

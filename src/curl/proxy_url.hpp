/// Whether libcurl would use a proxy's URL as it stands.
#ifndef WECHATPAY_SRC_CURL_PROXY_URL_HPP
#define WECHATPAY_SRC_CURL_PROXY_URL_HPP

#include <optional>
#include <string>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What is wrong with `url`, in words that quote nothing of it, since it may hold a password; nothing where it is
/// good. libcurl 7.88 drops a proxy whose user or password it cannot decode in silence, and connects directly.
std::optional<std::string> proxy_fault(const std::string& url);

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

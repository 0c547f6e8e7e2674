/// The library's version, by semantic versioning. CMake reads it from here.
#ifndef WECHATPAY_BONUS_COMMIT_VERSION_HPP
#define WECHATPAY_BONUS_COMMIT_VERSION_HPP

#include <string>

#include "wechatpay/bonus_commit/export.hpp"

#define WECHATPAY_BONUS_COMMIT_VERSION_MAJOR 0
#define WECHATPAY_BONUS_COMMIT_VERSION_MINOR 1
#define WECHATPAY_BONUS_COMMIT_VERSION_PATCH 0
#define WECHATPAY_BONUS_COMMIT_VERSION "0.1.0"

namespace wechatpay {

/// The User-Agent that every request carries: this library, the platform, and the libcurl and OpenSSL that are
/// in use at run time. WeChat Pay answers 400 INVALID_REQUEST to some requests without one.
/// Thread-safe; the text is made once.
WECHATPAY_BONUS_COMMIT_EXPORT const std::string& user_agent();

}  // namespace wechatpay

#endif

/// The library's version, by semantic versioning. CMake reads it from here.
#ifndef WECHATPAY_BONUS_COMMIT_VERSION_HPP
#define WECHATPAY_BONUS_COMMIT_VERSION_HPP

#include <string>

#include "wechatpay/bonus_commit/export.hpp"

#define WECHATPAY_BONUS_COMMIT_VERSION_MAJOR 1  ///< rises where a program may have to be changed
#define WECHATPAY_BONUS_COMMIT_VERSION_MINOR 0  ///< rises with what is new
#define WECHATPAY_BONUS_COMMIT_VERSION_PATCH 0  ///< rises with what is corrected
#define WECHATPAY_BONUS_COMMIT_VERSION "1.0.0"  ///< the three in one

namespace wechatpay {

/// The User-Agent that every request carries: this library, the platform, and the libcurl and OpenSSL that are
/// in use at run time. WeChat Pay answers 400 INVALID_REQUEST to some requests without one.
/// Thread-safe; the text is made once.
WECHATPAY_BONUS_COMMIT_EXPORT const std::string& user_agent();

}  // namespace wechatpay

#endif

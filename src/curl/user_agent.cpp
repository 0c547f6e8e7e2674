#include <curl/curl.h>

#include "wechatpay/bonus_commit/curl_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

constexpr const char* platform() {
#if defined(_WIN32)
  return "Windows";
#elif defined(__APPLE__)
  return "macOS";
#elif defined(__linux__)
  return "Linux";
#elif defined(__FreeBSD__)
  return "FreeBSD";
#else
  return "other";
#endif
}

constexpr const char* architecture() {
#if defined(__x86_64__) || defined(_M_X64)
  return "x86_64";
#elif defined(__aarch64__) || defined(_M_ARM64)
  return "aarch64";
#else
  return sizeof(void*) == 8 ? "64-bit" : "32-bit";
#endif
}

}  // namespace

const std::string& user_agent() {
  // Made once, since libcurl writes its version anew each time. Never destroyed: calls may still be in progress while
  // the process exits.
  static const std::string& text = *[] {
    const curl_version_info_data& curl = *curl_version_info(CURLVERSION_NOW);
    return new std::string(std::string("wechatpay-bonus-commit/" WECHATPAY_BONUS_COMMIT_VERSION " (") + platform() +
                           "; " + architecture() + ") libcurl/" + curl.version + " " + curl.ssl_version);
  }();
  return text;
}

WECHATPAY_BONUS_COMMIT_END

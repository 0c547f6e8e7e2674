/// libcurl's handles, each owned on the line that creates it.
#ifndef WECHATPAY_SRC_CURL_HANDLES_HPP
#define WECHATPAY_SRC_CURL_HANDLES_HPP

#include <curl/curl.h>
#include <curl/curlver.h>

#include <memory>

#include "wechatpay/bonus_commit/config.hpp"

// If libcurl is a target of the surrounding project, CMake cannot query its version.
#if LIBCURL_VERSION_NUM < 0x075000
#error "wechatpay_bonus_commit needs libcurl 7.80 or newer; <curl/curlver.h> is of an older one"
#endif

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

using EasyHandle = std::unique_ptr<CURL, Freed<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, Freed<curl_multi_cleanup>>;
using ShareHandle = std::unique_ptr<CURLSH, Freed<curl_share_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, Freed<curl_url_cleanup>>;
using ListHandle = std::unique_ptr<curl_slist, Freed<curl_slist_free_all>>;

/// Text that libcurl allocates and the caller frees.
using CurlText = std::unique_ptr<char, Freed<curl_free>>;

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// Converts libcurl's codes to an error with advice.
#ifndef WECHATPAY_SRC_CURL_CURL_ERROR_HPP
#define WECHATPAY_SRC_CURL_CURL_ERROR_HPP

#include <curl/curl.h>

#include <string>

#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// How a transfer without a complete answer ended.
struct Failure {
  CURLcode code = CURLE_OK;
  std::string origin;
  const char* libcurls_words = "";  ///< libcurl's message; empty: the message of the code
  long proxy_status = 0;            ///< the status of the answer to CONNECT; 0: none
  bool begun = false;               ///< bytes of the request may have been sent
  bool answer_too_large = false;    ///< by this library's limits
  bool stale_connection = false;    ///< a reused connection was closed without an answer
};

/// Throws std::bad_alloc.
Error to_error(const Failure& failure);

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

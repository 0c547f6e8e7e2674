/// OpenSSL functions for connections that libcurl does not offer. Only its source in this folder calls OpenSSL
/// directly.
#ifndef WECHATPAY_SRC_CURL_OPENSSL_BACKEND_HPP
#define WECHATPAY_SRC_CURL_OPENSSL_BACKEND_HPP

#include <curl/curl.h>

#include "src/curl/connections.hpp"
#include "src/curl/request_queue.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// True if this libcurl uses the same OpenSSL as this library for TLS, compared by full version. Only then may its
/// structures be accessed.
bool tls_is_our_openssl();

/// For CURLOPT_SSL_CTX_FUNCTION. By default, libcurl logs the secrets of each connection to the file in SSLKEYLOGFILE;
/// this disables it.
CURLcode forget_key_log(CURL* easy, void* context, void* user);

/// Clears libcurl's errors from this thread's OpenSSL error queue, so that completions do not see them.
void clear_tls_errors() noexcept;

/// The protocol that was negotiated in the handshake of `tls`, an SSL*.
Protocol negotiated_protocol(void* tls) noexcept;

/// Whether `tls`, an SSL*, has read bytes from its socket that were not consumed yet.
bool holds_bytes(void* tls) noexcept;

/// Checks what `socket` has received for `tls`, an SSL*. Does not consume bytes for the application.
Arrived look_into(void* tls, curl_socket_t socket) noexcept;

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

/// What libcurl does not offer and the OpenSSL beneath it does. The one file of this room that knows OpenSSL.
#ifndef WECHATPAY_SRC_CURL_OPENSSL_BACKEND_HPP
#define WECHATPAY_SRC_CURL_OPENSSL_BACKEND_HPP

#include <curl/curl.h>

#include "src/curl/connections.hpp"
#include "src/curl/request_queue.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// True if this libcurl does TLS with the OpenSSL that this library uses, known by its full version, so that its
/// structures may be touched.
bool tls_is_our_openssl();

/// For CURLOPT_SSL_CTX_FUNCTION: libcurl logs the secrets of each connection to the file that SSLKEYLOGFILE names; this
/// stops it.
CURLcode forget_key_log(CURL* easy, void* context, void* user);

/// What libcurl may leave on this thread's OpenSSL error queue is none of a completion's business.
void clear_tls_errors() noexcept;

/// What was agreed upon in the handshake of `tls`, an SSL*.
Protocol negotiated_protocol(void* tls) noexcept;

/// Whether `tls`, an SSL*, has taken bytes from its socket that are not read yet.
bool holds_bytes(void* tls) noexcept;

/// Looks at what `socket` has received for `tls`, an SSL*. Leaves bytes for the application where they are.
Arrived look_into(void* tls, curl_socket_t socket) noexcept;

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif

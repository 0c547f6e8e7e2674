#include "src/curl/openssl_backend.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {

bool tls_is_our_openssl() {
  const char* const tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  return tls != nullptr && tls == std::string("OpenSSL/") + OpenSSL_version(OPENSSL_VERSION_STRING);
}

CURLcode forget_key_log(CURL* /*easy*/, void* context, void* /*user*/) {
  SSL_CTX_set_keylog_callback(static_cast<SSL_CTX*>(context), nullptr);
  return CURLE_OK;
}

void clear_tls_errors() noexcept { ERR_clear_error(); }

Protocol negotiated_protocol(void* tls) noexcept {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(static_cast<SSL*>(tls), &name, &size);
  return std::string_view(reinterpret_cast<const char*>(name), size) == "h2" ? Protocol::http2 : Protocol::http1;
}

bool holds_bytes(void* tls) noexcept { return SSL_has_pending(static_cast<SSL*>(tls)) == 1; }

Arrived look_into(void* tls, curl_socket_t socket) noexcept {
  SSL* const ssl = static_cast<SSL*>(tls);
  // libcurl's own BIO works only within libcurl's calls. What is read here must not be answered either.
  BIO* const reader = BIO_new_socket(static_cast<int>(socket), BIO_NOCLOSE);
  BIO* const writer = BIO_new(BIO_s_null());
  if (reader == nullptr || writer == nullptr) {
    BIO_free(reader);
    BIO_free(writer);
    return Arrived::end;
  }
  BIO* const libcurls_reader = SSL_get_rbio(ssl);
  BIO* const libcurls_writer = SSL_get_wbio(ssl);
  BIO_up_ref(libcurls_reader);
  BIO_up_ref(libcurls_writer);
  SSL_set_bio(ssl, reader, writer);
  char byte = 0;
  clear_tls_errors();  // SSL_get_error() would read an older one
  const int got = SSL_peek(ssl, &byte, 1);
  const bool waits_for_more = got <= 0 && SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ;
  const bool answered = BIO_number_written(writer) != 0;
  SSL_set0_rbio(ssl, libcurls_reader);
  SSL_set0_wbio(ssl, libcurls_writer);
  clear_tls_errors();
  if (answered) return Arrived::end;
  return got > 0 ? Arrived::data : waits_for_more ? Arrived::nothing : Arrived::end;
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

/// OpenSSL's handles, each owned on the line that creates it.
#ifndef WECHATPAY_SRC_OPENSSL_HANDLES_HPP
#define WECHATPAY_SRC_OPENSSL_HANDLES_HPP

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

// If OpenSSL is a target of the surrounding project, CMake cannot query its version.
#if !defined(OPENSSL_VERSION_MAJOR) || OPENSSL_VERSION_MAJOR < 3
#error "wechatpay_bonus_commit needs OpenSSL 3.0 or newer; <openssl/opensslv.h> is of an older one, or of a fork"
#endif

WECHATPAY_BONUS_COMMIT_BEGIN

template <auto Free>
struct Freeing {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

using BioHandle = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using PkeyHandle = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using PkeyContextHandle = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using DigestHandle = std::unique_ptr<EVP_MD, Freeing<EVP_MD_free>>;
using CertificateHandle = std::unique_ptr<X509, Freeing<X509_free>>;
using Pkcs8Handle = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freeing<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8Handle = std::unique_ptr<X509_SIG, Freeing<X509_SIG_free>>;
using Pkcs12Handle = std::unique_ptr<PKCS12, Freeing<PKCS12_free>>;
using LibraryContextHandle = std::unique_ptr<OSSL_LIB_CTX, Freeing<OSSL_LIB_CTX_free>>;
using ProviderHandle = std::unique_ptr<OSSL_PROVIDER, Freeing<OSSL_PROVIDER_unload>>;

/// Memory that OpenSSL allocates and the caller frees.
struct OpensslFree {
  void operator()(void* memory) const noexcept { OPENSSL_free(memory); }
};
template <typename T>
using OpensslMemory = std::unique_ptr<T, OpensslFree>;

/// `text` as the unsigned bytes that OpenSSL takes.
inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Restores the calling thread's OpenSSL error queue, since the user's own code may be reading it. The queue keeps only
/// the latest 16 errors, so each step that may add many errors has its own guard.
class ErrorQueueGuard {
 public:
  ErrorQueueGuard() noexcept { ERR_set_mark(); }
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
  ~ErrorQueueGuard() { ERR_pop_to_mark(); }
};

/// OpenSSL's text for the latest failure. It names algorithms and formats, never key material.
inline std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "no reason given" : reason;
}

WECHATPAY_BONUS_COMMIT_END

#endif

/// The lowest versions of libcurl and OpenSSL that will do. Where they are targets of the surrounding project, CMake
/// cannot ask for their version, so it is looked at here, before anything that an older one lacks.
#ifndef WECHATPAY_SRC_THIRD_PARTIES_HPP
#define WECHATPAY_SRC_THIRD_PARTIES_HPP

#include <curl/curlver.h>
#include <openssl/opensslv.h>

#if LIBCURL_VERSION_NUM < 0x075000
#error "wechatpay_bonus_commit needs libcurl 7.80 or newer; <curl/curlver.h> is of an older one"
#endif

#if !defined(OPENSSL_VERSION_MAJOR) || OPENSSL_VERSION_MAJOR < 3
#error "wechatpay_bonus_commit needs OpenSSL 3.0 or newer; <openssl/opensslv.h> is of an older one, or of a fork"
#endif

#endif

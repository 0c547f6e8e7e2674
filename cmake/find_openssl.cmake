# Provides the targets OpenSSL::SSL and OpenSSL::Crypto: the project's own targets if there are any, otherwise those of
# the installed OpenSSL if it is new enough. OPENSSL_FOUND says whether they exist. The version of existing targets is
# checked when the library is compiled.
# Included by this project and, once installed, by the package file for users.
set(WECHATPAY_BONUS_COMMIT_OPENSSL 3.0)
if(NOT TARGET OpenSSL::SSL OR NOT TARGET OpenSSL::Crypto)
  # No version is passed: a replacement of find_package() may not report one.
  find_package(OpenSSL COMPONENTS Crypto SSL)
endif()
if(TARGET OpenSSL::SSL AND TARGET OpenSSL::Crypto)
  set(OPENSSL_FOUND TRUE)
  if(OPENSSL_VERSION AND OPENSSL_VERSION VERSION_LESS WECHATPAY_BONUS_COMMIT_OPENSSL)
    set(OPENSSL_FOUND FALSE)
  endif()
endif()

# The targets OpenSSL::SSL and OpenSSL::Crypto: the project's own, if it has them, else those of the installed OpenSSL, if
# that is new enough. OPENSSL_FOUND says whether there are any. The version of targets that exist already is checked when
# the library is compiled.
# Included here and, as installed, by the package's users.
set(WECHATPAY_BONUS_COMMIT_OPENSSL 3.0)
if(NOT TARGET OpenSSL::SSL OR NOT TARGET OpenSSL::Crypto)
  # The version is not passed on, since what overrides find_package() does not tell one.
  find_package(OpenSSL COMPONENTS Crypto SSL)
endif()
if(TARGET OpenSSL::SSL AND TARGET OpenSSL::Crypto)
  set(OPENSSL_FOUND TRUE)
  if(OPENSSL_VERSION AND OPENSSL_VERSION VERSION_LESS WECHATPAY_BONUS_COMMIT_OPENSSL)
    set(OPENSSL_FOUND FALSE)
  endif()
endif()

# Provides the target CURL::libcurl: the project's own target if there is one, otherwise the installed libcurl if it is
# new enough. CURL_FOUND says whether there is one. The version of an existing target is checked when the library is
# compiled. The version of an installed libcurl is compared here, because curl's own package files take a request for
# 7.80 as one for 7.x only.
# Included by this project and, once installed, by the package file for users.
set(WECHATPAY_BONUS_COMMIT_CURL 7.80)
if(TARGET CURL::libcurl)
  set(CURL_FOUND TRUE)
else()
  find_package(CURL)
  if(TARGET CURL::libcurl)
    set(CURL_FOUND TRUE)
  endif()
  if(NOT CURL_VERSION)
    set(CURL_VERSION "${CURL_VERSION_STRING}")
  endif()
  if(CURL_VERSION AND CURL_VERSION VERSION_LESS WECHATPAY_BONUS_COMMIT_CURL)
    set(CURL_FOUND FALSE)
  endif()
endif()

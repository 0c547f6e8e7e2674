# The target CURL::libcurl: the project's own, if it has one, else the installed libcurl, if that is new enough.
# CURL_FOUND says whether there is one. The version of a target that exists already is checked when the library is
# compiled. That of an installed one is compared here, since curl's own package files would take a wish for 7.80 as one
# for 7.x alone.
# Included here and, as installed, by the package's users.
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

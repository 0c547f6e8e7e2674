# libcurl, if it is installed and new enough: CURL_FOUND, CURL::libcurl. The version is compared here, since curl's own
# package files would take a wish for 7.80 as one for 7.x alone.
# Included here and, as installed, by the package's users.
set(WECHATPAY_BONUS_COMMIT_CURL 7.80)
find_package(CURL)
if(NOT CURL_VERSION)
  set(CURL_VERSION "${CURL_VERSION_STRING}")
endif()
if(CURL_FOUND AND CURL_VERSION VERSION_LESS WECHATPAY_BONUS_COMMIT_CURL)
  set(CURL_FOUND FALSE)
endif()

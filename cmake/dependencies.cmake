# The dependencies. libcurl and OpenSSL are only searched for: they come with the system and its security updates, or
# are targets that the project already has. The others are searched for first and otherwise downloaded, pinned by hash.
# cmake/install-dependencies.sh installs all of them.
include(FetchContent)

set(WECHATPAY_BONUS_COMMIT_HOW_TO_INSTALL
    "Debian/Ubuntu: apt-get install libcurl4-openssl-dev libssl-dev; Fedora: dnf install libcurl-devel openssl-devel; \
Alpine: apk add curl-dev openssl-dev; Arch: pacman -S curl openssl; macOS: brew install curl openssl@3")

# The lowest supported version. Those of libcurl and OpenSSL are in find_curl.cmake and find_openssl.cmake.
set(WECHATPAY_BONUS_COMMIT_NLOHMANN_JSON 3.10)

find_package(Threads REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/find_curl.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/find_openssl.cmake)
if(NOT CURL_FOUND)
  message(FATAL_ERROR "wechatpay_bonus_commit needs libcurl ${WECHATPAY_BONUS_COMMIT_CURL} or newer. "
    "${WECHATPAY_BONUS_COMMIT_HOW_TO_INSTALL}")
endif()
if(NOT OPENSSL_FOUND)
  message(FATAL_ERROR "wechatpay_bonus_commit needs OpenSSL ${WECHATPAY_BONUS_COMMIT_OPENSSL} or newer. "
    "${WECHATPAY_BONUS_COMMIT_HOW_TO_INSTALL}")
endif()

if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json ${WECHATPAY_BONUS_COMMIT_NLOHMANN_JSON} QUIET)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  FetchContent_Declare(nlohmann_json
    URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
    URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d
    DOWNLOAD_EXTRACT_TIMESTAMP ON)
  FetchContent_MakeAvailable(nlohmann_json)
endif()

# cpp-httplib, for the sandbox server. Targets link to WECHATPAY_BONUS_COMMIT_HTTPLIB. A downloaded cpp-httplib is
# header-only, so users of the installed testing library do not need it.
macro(wechatpay_bonus_commit_find_httplib)
  include(${PROJECT_SOURCE_DIR}/cmake/find_httplib.cmake)
  set(WECHATPAY_BONUS_COMMIT_HTTPLIB httplib::httplib)
  if(NOT TARGET httplib::httplib)
    set(HTTPLIB_REQUIRE_OPENSSL ON)
    set(HTTPLIB_USE_ZLIB_IF_AVAILABLE OFF)
    set(HTTPLIB_USE_BROTLI_IF_AVAILABLE OFF)
    set(HTTPLIB_INSTALL OFF)
    FetchContent_Declare(httplib
      URL https://github.com/yhirose/cpp-httplib/archive/refs/tags/v0.11.4.tar.gz
      URL_HASH SHA3_256=9aedcbec09b7b3b01c78cc80822c505846d73928a72ae96eb907b1f467eee649
      DOWNLOAD_EXTRACT_TIMESTAMP ON)
    FetchContent_MakeAvailable(httplib)
    set(WECHATPAY_BONUS_COMMIT_HTTPLIB $<BUILD_INTERFACE:httplib::httplib>)
  endif()
endmacro()

# CLI11, for the command-line tool, as the target CLI11::CLI11.
macro(wechatpay_bonus_commit_find_cli11)
  if(NOT TARGET CLI11::CLI11)
    find_package(CLI11 2.1 QUIET)
  endif()
  if(NOT TARGET CLI11::CLI11)
    FetchContent_Declare(cli11
      URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
      URL_HASH SHA256=26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb
      DOWNLOAD_EXTRACT_TIMESTAMP ON)
    FetchContent_MakeAvailable(cli11)
  endif()
endmacro()

macro(wechatpay_bonus_commit_find_googletest)
  find_package(GTest 1.11 QUIET)
  if(NOT TARGET GTest::gtest_main)
    set(INSTALL_GTEST OFF)
    FetchContent_Declare(googletest
      URL https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
      URL_HASH SHA256=8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7
      DOWNLOAD_EXTRACT_TIMESTAMP ON)
    FetchContent_MakeAvailable(googletest)
  endif()
endmacro()

# Runs the vcpkg port as far as possible without vcpkg. Simple replacements of vcpkg's functions do what the port needs.
#   cmake -DSOURCE=FOLDER -DBUILD=FOLDER -P vcpkg_port.cmake
cmake_minimum_required(VERSION 3.24)
set(port ${SOURCE}/cmake/packaging/vcpkg)
file(READ ${port}/vcpkg.json manifest)
string(JSON VERSION GET "${manifest}" version)
string(JSON PORT GET "${manifest}" name)
set(CURRENT_PACKAGES_DIR ${BUILD}/packages)
file(REMOVE_RECURSE ${BUILD})

function(require_existing)
  foreach(file IN LISTS ARGN)
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "${file} does not exist")
    endif()
  endforeach()
endfunction()

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

function(vcpkg_from_github)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_SOURCE_PATH;REPO;REF;SHA512;HEAD_REF" "")
  file(READ ${SOURCE}/include/wechatpay/bonus_commit/config.hpp header)
  string(REGEX MATCH "VERSION \"([^\"]+)\"" ignored "${header}")
  if(NOT arg_REF STREQUAL "v${CMAKE_MATCH_1}" OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "the port's version is not the library's: ${arg_REF}")
  endif()
  set(${arg_OUT_SOURCE_PATH} ${SOURCE} PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILD}/build -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_UNITY_BUILD=ON --warn-uninitialized ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --build ${BUILD}/build --parallel 2 --target install)
endfunction()

function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  require_existing(${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/${arg_PACKAGE_NAME}-config.cmake)
endfunction()

function(vcpkg_fixup_pkgconfig)
  file(READ ${port}/usage usage)
  file(GLOB modules RELATIVE ${CURRENT_PACKAGES_DIR}/lib/pkgconfig ${CURRENT_PACKAGES_DIR}/lib/pkgconfig/*.pc)
  string(REPLACE ".pc" "" modules "${modules}")
  if(NOT modules OR NOT usage MATCHES "\n    ${modules}\n")
    message(FATAL_ERROR "the usage does not name the pkg-config module ${modules}")
  endif()
endfunction()

function(vcpkg_copy_pdbs)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  require_existing(${arg_FILE_LIST})
endfunction()

include(${port}/portfile.cmake)
require_existing(${CURRENT_PACKAGES_DIR}/share/${PORT}/usage)

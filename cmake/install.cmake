# What `cmake --install` installs: headers, libraries, and the files for find_package() and pkg-config.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/wechatpay_bonus_commit)

install(DIRECTORY include/ TYPE INCLUDE COMPONENT development)
install(TARGETS wechatpay_bonus_commit EXPORT wechatpay_bonus_commit
  RUNTIME COMPONENT development
  LIBRARY COMPONENT development
  ARCHIVE COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT wechatpay_bonus_commit
  DESTINATION ${package_folder} FILE wechatpay_bonus_commit-targets.cmake NAMESPACE wechatpay:: COMPONENT development)
if(TARGET wechatpay_bonus_commit_testing)
  install(TARGETS wechatpay_bonus_commit_testing EXPORT wechatpay_bonus_commit_testing
    ARCHIVE COMPONENT development)
  install(EXPORT wechatpay_bonus_commit_testing
    DESTINATION ${package_folder} FILE wechatpay_bonus_commit-testing.cmake NAMESPACE wechatpay:: COMPONENT development)
endif()
if(TARGET wechatpay_bonus_commit_sandbox)
  install(TARGETS wechatpay_bonus_commit_sandbox EXPORT wechatpay_bonus_commit_sandbox
    ARCHIVE COMPONENT development)
  install(EXPORT wechatpay_bonus_commit_sandbox
    DESTINATION ${package_folder} FILE wechatpay_bonus_commit-sandbox.cmake NAMESPACE wechatpay:: COMPONENT development)
  install(FILES cmake/find_httplib.cmake DESTINATION ${package_folder} COMPONENT development)
endif()

get_target_property(library_type wechatpay_bonus_commit TYPE)
configure_package_config_file(cmake/wechatpay_bonus_commit-config.cmake.in wechatpay_bonus_commit-config.cmake
  INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(wechatpay_bonus_commit-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES
  cmake/find_curl.cmake
  cmake/find_openssl.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/wechatpay_bonus_commit-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/wechatpay_bonus_commit-config-version.cmake
  DESTINATION ${package_folder} COMPONENT development)

# Paths in the pkg-config file are relative to the file, so that the installation can be moved.
set(pkg_config_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
string(REGEX REPLACE "[^/]+" ".." to_prefix ${pkg_config_folder})
# For a static library these are public requirements, although its users do not call them. With Requires.private and
# `--static`, users would have to link everything that libcurl itself may be linked to, and few systems have all those
# libraries.
set(needed "libcurl >= ${WECHATPAY_BONUS_COMMIT_CURL}, openssl >= ${WECHATPAY_BONUS_COMMIT_OPENSSL}")
set(public "Requires: ${needed}\n")
if(library_type STREQUAL "SHARED_LIBRARY")
  set(public "Requires.private: ${needed}\n")
endif()

set(header_only "")
if(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
  set(header_only " -DWECHATPAY_BONUS_COMMIT_HEADER_ONLY")
endif()

# Installs a pkg-config module for the target `name`. `requires`: lines of its file.
function(wechatpay_bonus_commit_pkg_config name description requires)
  if(TARGET ${name})
    configure_file(cmake/pkg_config.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${pkg_config_folder} COMPONENT development)
  endif()
endfunction()
wechatpay_bonus_commit_pkg_config(wechatpay_bonus_commit "${PROJECT_DESCRIPTION}" "${public}")
wechatpay_bonus_commit_pkg_config(wechatpay_bonus_commit_testing "WeChat Pay's side of the call, for unit tests"
  "Requires: wechatpay_bonus_commit = ${PROJECT_VERSION}, openssl\n")
wechatpay_bonus_commit_pkg_config(wechatpay_bonus_commit_sandbox "WeChat Pay on this machine, for integration tests"
  "Requires: wechatpay_bonus_commit_testing = ${PROJECT_VERSION}, cpp-httplib >= 0.11, openssl\n")

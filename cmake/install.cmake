# What `cmake --install` lays down: headers, libraries, and what find_package() and pkg-config read.
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
  install(FILES cmake/find_httplib.cmake DESTINATION ${package_folder} COMPONENT development)
endif()

get_target_property(library_type wechatpay_bonus_commit TYPE)
configure_package_config_file(cmake/wechatpay_bonus_commit-config.cmake.in wechatpay_bonus_commit-config.cmake
  INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(wechatpay_bonus_commit-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES
  cmake/find_curl.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/wechatpay_bonus_commit-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/wechatpay_bonus_commit-config-version.cmake
  DESTINATION ${package_folder} COMPONENT development)

# The folders in it are told from where it lies, so that it may move with them.
set(pkg_config_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
string(REGEX REPLACE "[^/]+" ".." to_prefix ${pkg_config_folder})
# Public for a static library, although its users do not call them: `--static` would have them link all that libcurl
# itself could be linked to, for which few systems have the libraries.
set(requires Requires)
if(library_type STREQUAL "SHARED_LIBRARY")
  set(requires Requires.private)
endif()
configure_file(cmake/wechatpay_bonus_commit.pc.in wechatpay_bonus_commit.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wechatpay_bonus_commit.pc
  DESTINATION ${pkg_config_folder} COMPONENT development)

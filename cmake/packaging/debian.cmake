# Debian packages, made by `cpack --config BUILD_FOLDER/CPackConfig.cmake` after a Release build with
# -DCMAKE_INSTALL_PREFIX=/usr: libwechatpay-bonus-commit-dev and, if it is built, the tool as wechatpay-bonus-commit.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The wechatpay-bonus-commit authors <authors@wechatpay-bonus-commit.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL "")

# Debian requires a changelog in its own format.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(CONFIGURE OUTPUT debian/changelog CONTENT "wechatpay-bonus-commit (@PROJECT_VERSION@) unstable; urgency=medium

  * Version @PROJECT_VERSION@; the project's own changelog says what is new.

 -- @CPACK_PACKAGE_CONTACT@  @now@
" @ONLY)
file(ARCHIVE_CREATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.gz
  PATHS ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)

# The licence and the changelog are installed where Debian expects them, and only in Debian packages.
macro(wechatpay_bonus_commit_debian_package component package)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  install(FILES LICENSE DESTINATION share/doc/${package} RENAME copyright COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.gz DESTINATION share/doc/${package}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
endmacro()

wechatpay_bonus_commit_debian_package(development libwechatpay-bonus-commit-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
string(CONCAT CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libcurl4-openssl-dev (>= ${WECHATPAY_BONUS_COMMIT_CURL}) | libcurl-dev, "
  "libssl-dev (>= ${WECHATPAY_BONUS_COMMIT_OPENSSL})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libcpp-httplib-dev, nlohmann-json3-dev, pkg-config")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "\
This package has the C++ library: its headers, the static library, what
find_package() and pkg-config read, and testing support that simulates WeChat
Pay; its sandbox server needs libcpp-httplib-dev.")

if(TARGET wechatpay_bonus_commit_tool)
  wechatpay_bonus_commit_debian_package(tool wechatpay-bonus-commit)
  install(FILES "examples/outbox/wechatpay-bonus-commit-relay@.service" DESTINATION lib/systemd/system
    COMPONENT tool EXCLUDE_FROM_ALL)
  set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION utils)
  set(CPACK_DEBIAN_TOOL_PACKAGE_SHLIBDEPS ON)
  set(CPACK_COMPONENT_TOOL_DESCRIPTION "\
This package has the command-line tool: it commits one order, a file of
orders, orders from a message broker, or orders from a database table. It also
checks credentials and serves a sandbox that simulates WeChat Pay.")
endif()

include(CPack)

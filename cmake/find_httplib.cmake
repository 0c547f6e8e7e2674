# Provides the target httplib::httplib if cpp-httplib is installed. Debian's package has a compiled library but no CMake
# files.
# Included by this project and, once installed, by the package file for users.
if(NOT TARGET httplib::httplib)
  find_package(httplib 0.11 QUIET CONFIG COMPONENTS OpenSSL)
endif()
if(NOT TARGET httplib::httplib)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(cpp_httplib QUIET IMPORTED_TARGET cpp-httplib>=0.11)
  endif()
  if(TARGET PkgConfig::cpp_httplib)
    add_library(httplib::httplib INTERFACE IMPORTED)
    target_link_libraries(httplib::httplib INTERFACE PkgConfig::cpp_httplib OpenSSL::SSL OpenSSL::Crypto)
  endif()
endif()

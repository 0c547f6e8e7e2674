# Only for builds of this project itself: warnings as errors (with MSVC only warnings) and sanitizers. None of it
# affects users of the library.
set(WECHATPAY_BONUS_COMMIT_SANITIZE "" CACHE STRING
  "Sanitizers for our own targets, such as address,undefined; with fuzzer-no-link (clang), tests/fuzz is built too")

add_library(wechatpay_bonus_commit_development INTERFACE)
if(MSVC)
  target_compile_options(wechatpay_bonus_commit_development INTERFACE /W4 /permissive- /utf-8)
else()
  target_compile_options(wechatpay_bonus_commit_development INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Werror
    # In a unity build, the functions of one source may use the names of another one.
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>
    # GCC 12 gives a false warning for a literal + a string (GCC bug 105651).
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
  if(WECHATPAY_BONUS_COMMIT_SANITIZE)
    target_compile_options(wechatpay_bonus_commit_development INTERFACE
      -fsanitize=${WECHATPAY_BONUS_COMMIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(wechatpay_bonus_commit_development INTERFACE -fsanitize=${WECHATPAY_BONUS_COMMIT_SANITIZE})
  endif()
endif()

# Gives targets of this project the flags above and the standard without extensions.
function(wechatpay_bonus_commit_develop)
  foreach(target IN LISTS ARGN)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:wechatpay_bonus_commit_development>)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  endforeach()
endfunction()

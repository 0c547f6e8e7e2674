/// The version, the namespace and the export macros.
#ifndef WECHATPAY_BONUS_COMMIT_CONFIG_HPP
#define WECHATPAY_BONUS_COMMIT_CONFIG_HPP

// Semantic versioning. CMake reads the version from here.
#define WECHATPAY_BONUS_COMMIT_VERSION_MAJOR 1  ///< rises when programs may have to be changed
#define WECHATPAY_BONUS_COMMIT_VERSION_MINOR 0  ///< rises with new features
#define WECHATPAY_BONUS_COMMIT_VERSION_PATCH 0  ///< rises with corrections
#define WECHATPAY_BONUS_COMMIT_VERSION "1.0.0"  ///< all three numbers

/// Every header declares its names between these two macros. The inline namespace contains the version, like the shared
/// library's soname, so that inline code of two versions can exist in one program. Do not name the inline namespace in
/// your code.
#define WECHATPAY_BONUS_COMMIT_BEGIN  \
  namespace wechatpay::bonus_commit { \
  inline namespace v1_0 {
#define WECHATPAY_BONUS_COMMIT_END \
  }                                \
  }

WECHATPAY_BONUS_COMMIT_BEGIN

/// The parts of a commit, for reading, testing and inlining. Not API: a minor release may change them.
namespace stages {}
/// For the tests of programs that use the library.
namespace testing {}
WECHATPAY_BONUS_COMMIT_END

/// WECHATPAY_BONUS_COMMIT_EXPORT marks each function that is public and compiled. WECHATPAY_BONUS_COMMIT_TYPE marks
/// each class that is thrown, derived from or cast to across the library's border. Where types are compared by address,
/// as on macOS, both sides must see the same one.
#if !defined(_WIN32)
#define WECHATPAY_BONUS_COMMIT_EXPORT [[gnu::visibility("default")]]
#define WECHATPAY_BONUS_COMMIT_TYPE [[gnu::visibility("default")]]
#else
// The first is set while the DLL is built, the second for programs that link to it. A static library has neither.
#if defined(WECHATPAY_BONUS_COMMIT_BUILDS_DLL)
#define WECHATPAY_BONUS_COMMIT_EXPORT __declspec(dllexport)
#elif defined(WECHATPAY_BONUS_COMMIT_USES_DLL)
#define WECHATPAY_BONUS_COMMIT_EXPORT __declspec(dllimport)
#else
#define WECHATPAY_BONUS_COMMIT_EXPORT
#endif
#define WECHATPAY_BONUS_COMMIT_TYPE
#endif

/// Precedes each function of impl/: `inline` if their bodies are included, nothing if src/core.cpp compiles them.
#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#define WECHATPAY_BONUS_COMMIT_DECL inline
#else
#define WECHATPAY_BONUS_COMMIT_DECL
#endif

#endif

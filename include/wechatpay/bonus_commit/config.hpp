/// The version, the namespace and what a shared build exports.
#ifndef WECHATPAY_BONUS_COMMIT_CONFIG_HPP
#define WECHATPAY_BONUS_COMMIT_CONFIG_HPP

// By semantic versioning. CMake reads it from here.
#define WECHATPAY_BONUS_COMMIT_VERSION_MAJOR 1  ///< rises where a program may have to be changed
#define WECHATPAY_BONUS_COMMIT_VERSION_MINOR 0  ///< rises with what is new
#define WECHATPAY_BONUS_COMMIT_VERSION_PATCH 0  ///< rises with what is corrected
#define WECHATPAY_BONUS_COMMIT_VERSION "1.0.0"  ///< the three in one

/// Every header declares its names between these two. The inline namespace has the version in it, as the shared
/// library's soname has, so that inline code of two versions can live in one program; nobody spells it.
#define WECHATPAY_BONUS_COMMIT_BEGIN  \
  namespace wechatpay::bonus_commit { \
  inline namespace v1_0 {
#define WECHATPAY_BONUS_COMMIT_END \
  }                                \
  }

WECHATPAY_BONUS_COMMIT_BEGIN

/// What a commit is made of: to be read, tested and inlined, but not API. A minor release may change it.
namespace stages {}
/// For the tests of those who use the library.
namespace testing {}
WECHATPAY_BONUS_COMMIT_END

/// WECHATPAY_BONUS_COMMIT_EXPORT stands before each function that is public and compiled.
/// WECHATPAY_BONUS_COMMIT_TYPE stands before each class that is thrown, derived from or cast to across the library's
/// border: where types are told apart by address, as on macOS, both sides must see the same one.
#if !defined(_WIN32)
#define WECHATPAY_BONUS_COMMIT_EXPORT [[gnu::visibility("default")]]
#define WECHATPAY_BONUS_COMMIT_TYPE [[gnu::visibility("default")]]
#else
// The first is set while a DLL is built, the second for those who link to it; a static library has neither.
#if defined(WECHATPAY_BONUS_COMMIT_BUILDS_DLL)
#define WECHATPAY_BONUS_COMMIT_EXPORT __declspec(dllexport)
#elif defined(WECHATPAY_BONUS_COMMIT_USES_DLL)
#define WECHATPAY_BONUS_COMMIT_EXPORT __declspec(dllimport)
#else
#define WECHATPAY_BONUS_COMMIT_EXPORT
#endif
#define WECHATPAY_BONUS_COMMIT_TYPE
#endif

/// Before each function of impl/: `inline` where their bodies are included, nothing where src/core.cpp compiles them.
#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#define WECHATPAY_BONUS_COMMIT_DECL inline
#else
#define WECHATPAY_BONUS_COMMIT_DECL
#endif

#endif

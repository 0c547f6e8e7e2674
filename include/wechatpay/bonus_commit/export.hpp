/// What a shared build of this library exports; everything else is hidden in it.
#ifndef WECHATPAY_BONUS_COMMIT_EXPORT_HPP
#define WECHATPAY_BONUS_COMMIT_EXPORT_HPP

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

#endif

// The sanitizers that a test is built with. g++ has no macro for the undefined sanitizer, which is always used together
// with the address sanitizer here.
#ifndef WECHATPAY_TESTS_SUPPORT_SANITIZERS_HPP
#define WECHATPAY_TESTS_SUPPORT_SANITIZERS_HPP

namespace wechatpay::bonus_commit {

#if defined(__has_feature)
inline constexpr bool with_address_sanitizer = __has_feature(address_sanitizer);
inline constexpr bool with_thread_sanitizer = __has_feature(thread_sanitizer);
#else
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool with_address_sanitizer = true;
#else
inline constexpr bool with_address_sanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__)
inline constexpr bool with_thread_sanitizer = true;
#else
inline constexpr bool with_thread_sanitizer = false;
#endif
#endif

}  // namespace wechatpay::bonus_commit

#endif

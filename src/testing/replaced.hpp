// Text with a part replaced.
#ifndef WECHATPAY_SRC_TESTING_REPLACED_HPP
#define WECHATPAY_SRC_TESTING_REPLACED_HPP

#include <wechatpay/bonus_commit/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// `text` with `to` in the place of each `from`, which is not empty.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

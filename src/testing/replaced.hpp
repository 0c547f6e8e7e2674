// Replaces parts of a text.
#ifndef WECHATPAY_SRC_TESTING_REPLACED_HPP
#define WECHATPAY_SRC_TESTING_REPLACED_HPP

#include <wechatpay/bonus_commit/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// `text` with each `from` replaced by `to`. `from` must not be empty.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

/// The files of the page. CMake writes them from the folder page into a source file.
#ifndef WECHATPAY_SRC_TESTING_PAGE_FILES_HPP
#define WECHATPAY_SRC_TESTING_PAGE_FILES_HPP

#include <array>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

struct PageFile {
  const char* path;
  const char* type;
  std::string_view content;
};

extern const std::array<PageFile, 6> page_files;

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

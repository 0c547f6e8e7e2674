// What failed, in a file that can be fed in again.
#ifndef WECHATPAY_SRC_TOOL_FAILED_FILE_HPP
#define WECHATPAY_SRC_TOOL_FAILED_FILE_HPP

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace wechatpay::bonus_commit::tool {

/// A file that takes its name's place only when it is complete. Its owner alone may read it: it holds what the file of
/// orders holds.
class FailedFile {
 public:
  explicit FailedFile(std::string name) : name_(std::move(name)), unfinished_(name_ + ".unfinished") {}

  void add(const std::string& line) {
    if (!out_.is_open()) open();
    out_ << line << "\n";
    ++lines_;
  }

  /// Without a line there is no file, nor one of an earlier run. False where it cannot be written.
  bool finish() {
    std::error_code failure;
    if (lines_ == 0) {
      std::filesystem::remove(name_, failure);
      return !failure;
    }
    out_.close();
    if (out_.fail()) return false;
    if (const int written = ::open(unfinished_.c_str(), O_RDONLY | O_CLOEXEC); written >= 0) {
      ::fsync(written);
      ::close(written);
    }
    std::filesystem::rename(unfinished_, name_, failure);
    return !failure;
  }

  std::uint64_t lines() const { return lines_; }

 private:
  void open() {
    std::error_code not_there;
    std::filesystem::remove(unfinished_, not_there);
    const int made = ::open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) {
      out_.setstate(std::ios::failbit);
      return;
    }
    ::close(made);
    out_.open(unfinished_, std::ios::binary | std::ios::trunc);
  }

  const std::string name_;
  const std::string unfinished_;
  std::ofstream out_;
  std::uint64_t lines_ = 0;
};

}  // namespace wechatpay::bonus_commit::tool

#endif

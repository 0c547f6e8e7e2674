// The orders and rows that failed, in a file that can be used as input again.
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

/// A file that replaces the file of its name only when it is complete. Only its owner may read it, because it contains
/// orders.
class FailedFile {
 public:
  explicit FailedFile(std::string name) : name_(std::move(name)), unfinished_(name_ + ".unfinished") {}

  void add(const std::string& line) {
    if (!out_.is_open()) open();
    out_ << line << "\n";
    ++lines_;
  }

  /// If no line was written, there is no file afterwards, and that of an earlier run is removed. Returns false if the
  /// file cannot be written.
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

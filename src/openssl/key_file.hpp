/// A key's file: its name is checked before it is opened; it is read within bounds and wiped from memory.
#ifndef WECHATPAY_SRC_OPENSSL_KEY_FILE_HPP
#define WECHATPAY_SRC_OPENSSL_KEY_FILE_HPP

#include <chrono>
#include <string>
#include <string_view>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Which argument a file's name was given as, and which function takes the contents instead: for a message.
struct FileArgument {
  std::string_view name;
  std::string_view instead;  ///< empty where there is none
};

/// A file's bytes, wiped from memory when they are no longer needed.
class KeyFile {
 public:
  /// A regular file of 1 MiB at most; or a pipe, as a shell's <(…) and /dev/stdin are, whose writer is waited for at
  /// most `wait` in all.
  static Result<KeyFile> read(const std::string& path, const FileArgument& argument,
                              std::chrono::milliseconds wait = std::chrono::seconds(5));

  KeyFile(KeyFile&&) noexcept = default;
  KeyFile& operator=(KeyFile&&) = delete;
  ~KeyFile() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::string_view bytes() const noexcept { return bytes_; }

  /// How messages call it.
  const std::string& name() const noexcept { return name_; }

  /// A warning if the file's group or others may read or write it; empty if not, and where it is no regular file.
  std::string warning_if_shared() const { return sharing_warning(0066, "chmod 600 "); }

  /// The same of writing only, for a file that is no secret but decides who is trusted.
  std::string warning_if_others_may_write() const { return sharing_warning(0022, "chmod go-w "); }

 private:
  KeyFile() = default;

  std::string sharing_warning(unsigned int unwanted, const char* command) const;

  std::string bytes_;
  std::string path_;
  std::string name_;
  unsigned int mode_ = 0;  ///< a regular file's permissions, where the system has them
};

WECHATPAY_BONUS_COMMIT_END

#endif

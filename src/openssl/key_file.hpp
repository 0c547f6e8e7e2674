/// A key's file: its name is checked before opening, its size is limited, and it is wiped from memory.
#ifndef WECHATPAY_SRC_OPENSSL_KEY_FILE_HPP
#define WECHATPAY_SRC_OPENSSL_KEY_FILE_HPP

#include <chrono>
#include <string>
#include <string_view>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// For messages: the argument that passed a file's name, and the function that takes the contents instead.
struct FileArgument {
  std::string_view name;
  std::string_view instead;  ///< empty if there is none
};

/// The bytes of a file, wiped from memory when they are no longer needed.
class KeyFile {
 public:
  /// Reads a regular file of at most 1 MiB, or a pipe, such as a shell's <(…) and /dev/stdin. Waits for the pipe's
  /// writer at most `wait` in total.
  static Result<KeyFile> read(const std::string& path, const FileArgument& argument,
                              std::chrono::milliseconds wait = std::chrono::seconds(5));

  KeyFile(KeyFile&&) noexcept = default;
  KeyFile& operator=(KeyFile&&) = delete;
  ~KeyFile() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::string_view bytes() const noexcept { return bytes_; }

  /// The file's name in messages.
  const std::string& name() const noexcept { return name_; }

  /// A warning if the file's group or others may read or write it; empty if not, and if it is not a regular file.
  std::string warning_if_shared() const { return sharing_warning(0066, "chmod 600 "); }

  /// The same for write access only. For a file that is not secret, but decides which keys are trusted.
  std::string warning_if_others_may_write() const { return sharing_warning(0022, "chmod go-w "); }

 private:
  KeyFile() = default;

  std::string sharing_warning(unsigned int unwanted, const char* command) const;

  std::string bytes_;
  std::string path_;
  std::string name_;
  unsigned int mode_ = 0;  ///< a regular file's permissions, if the system has them
};

WECHATPAY_BONUS_COMMIT_END

#endif

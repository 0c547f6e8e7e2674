#include "src/openssl/key_file.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "wechatpay/bonus_commit/stages/file_name.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

#if defined(_WIN32)
#include <cstdio>
#include <filesystem>
#include <memory>
#else
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

constexpr std::size_t most = 1U << 20U;

std::string system_says() { return std::generic_category().message(errno); }

/// The result of reading a file, or the reason of the failure.
struct Reading {
  std::size_t size = 0;
  std::string fault;
  unsigned int mode = 0;  ///< of a regular file, if the system has modes
};

#if defined(_WIN32)

/// Reads the file into `buffer`.
Reading read_file(const std::string& path, std::string& buffer, std::chrono::milliseconds) {
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    return {0, "is no regular file"};
  }
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return {0, "cannot be opened: " + system_says()};
  // Unbuffered, so that no copy of a private key remains in freed memory.
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get());
  if (std::ferror(file.get()) != 0) return {0, "cannot be read: " + system_says()};
  return {size, ""};
}

#else

class Descriptor {
 public:
  /// Opens without waiting for a pipe's writer, and without making a terminal the controlling one.
  explicit Descriptor(const std::string& path)
      : number_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// Why no key is read from a file of this type; empty for a regular file and a pipe.
std::string fault_of_kind(mode_t mode) {
  if (S_ISREG(mode) || S_ISFIFO(mode)) return {};
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

/// Waits until `descriptor` has bytes or its end, at most until `deadline`.
bool wait_for(int descriptor, std::chrono::steady_clock::time_point deadline) {
  int ready = 0;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{descriptor, POLLIN, 0};
    ready = poll(&waiting, 1, static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 60000)));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

/// Reads the file into `buffer`.
Reading read_file(const std::string& path, std::string& buffer, std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  struct stat status {};
  const Descriptor file(path);
  if (file.number() < 0) {
    const std::string why = "cannot be opened: " + system_says();
    const bool found = stat(path.c_str(), &status) == 0;
    return {0, found && S_ISSOCK(status.st_mode) ? fault_of_kind(status.st_mode) : why, 0};
  }
  if (fstat(file.number(), &status) != 0) return {0, "cannot be read: " + system_says(), 0};
  if (std::string fault = fault_of_kind(status.st_mode); !fault.empty()) return {0, std::move(fault), 0};

  Reading reading;
  if (S_ISREG(status.st_mode)) reading.mode = status.st_mode & 07777U;
  while (reading.size < buffer.size()) {
    if (!wait_for(file.number(), deadline)) {
      reading.fault = "is a pipe that was not written to its end in time; give a regular file";
      break;
    }
    const ssize_t size = ::read(file.number(), buffer.data() + reading.size, buffer.size() - reading.size);
    if (size == 0) break;
    if (size > 0) reading.size += static_cast<std::size_t>(size);
    if (size > 0 || errno == EINTR || errno == EAGAIN) continue;
    reading.fault = "cannot be read: " + system_says();
    break;
  }
  return reading;
}

#endif

/// `path` quoted for a shell.
std::string shell_word(const std::string& path) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+,:@%";
  if (path.find_first_not_of(plain) == std::string::npos && path.front() != '-') return path;
  std::string word = path.front() == '-' ? "'./" : "'";
  for (const char c : path) {
    if (c == '\'') word += "'\\'";
    word += c;
  }
  return word + "'";
}

}  // namespace

Result<KeyFile> KeyFile::read(const std::string& path, const FileArgument& argument, std::chrono::milliseconds wait) {
  if (const std::string fault = file_name_fault(path); !fault.empty()) {
    std::string message(argument.name);
    message.append(" ").append(fault).append(": give a file's name");
    if (!argument.instead.empty()) message.append(", or use ").append(argument.instead);
    return configuration_error(std::move(message));
  }
  KeyFile content;
  content.path_ = path;
  content.name_ = file_in_message(path, argument.name);
  // The full size from the start, so that no copy of a private key remains in freed memory.
  content.bytes_.resize(most + 1);
  const Reading reading = read_file(path, content.bytes_, wait);
  if (!reading.fault.empty()) {
    const bool home = path.front() == '~';
    return configuration_error(content.name_ + ": " + reading.fault + (home ? " (~ is not expanded)" : ""));
  }
  if (reading.size > most) return configuration_error(content.name_ + ": is larger than 1 MiB, so it is no key file");
  content.bytes_.resize(reading.size);
  content.mode_ = reading.mode;
  return content;
}

std::string KeyFile::sharing_warning(unsigned int unwanted, const char* command) const {
  const unsigned int shared = mode_ & unwanted;
  if (shared == 0) return {};
  const auto listed = [](bool first, const char* a, bool second, const char* b) {
    return std::string(first ? a : "") + (first && second ? " and " : "") + (second ? b : "");
  };
  std::string mode;
  for (unsigned int bit = 9; bit > 0; bit -= 3) mode += static_cast<char>('0' + ((mode_ >> (bit - 3U)) & 7U));
  const bool can_be_typed = printable(path_, path_.size()) == path_;
  const std::string subject = can_be_typed ? shell_word(path_) : "on it";
  return name_ + " can be " + listed((shared & 0044U) != 0, "read", (shared & 0022U) != 0, "written") + " by " +
         listed((shared & 0070U) != 0, "its group", (shared & 0007U) != 0, "others") + " (mode 0" + mode +
         "): " + command + subject;
}

WECHATPAY_BONUS_COMMIT_END

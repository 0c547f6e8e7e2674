// The folder to which a sandbox writes keys and certificates.
#ifndef WECHATPAY_SRC_TESTING_OUTPUT_FOLDER_HPP
#define WECHATPAY_SRC_TESTING_OUTPUT_FOLDER_HPP

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A folder that only one sandbox writes to at a time. It contains a list of the files that sandboxes have written. So
/// other files are not overwritten, and files of earlier sandboxes are removed.
class OutputFolder {
 public:
  /// Throws if another sandbox uses the folder, or if a file of `names` exists there that no sandbox has written.
  OutputFolder(const std::filesystem::path& folder, const std::vector<std::string>& names)
      : list_(folder / ".sandbox-files"), names_(names) {
    std::filesystem::create_directories(folder);
    lock_.descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_.descriptor < 0 || ::flock(lock_.descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      if (reason != EWOULDBLOCK) {
        throw std::filesystem::filesystem_error("cannot be locked", folder, {reason, std::generic_category()});
      }
      throw std::runtime_error(stages::printable(folder.string(), 1000) +
                               " is in use by another sandbox: give another folder");
    }
    std::ifstream list(list_);
    for (std::string name; std::getline(list, name);) earlier_.push_back(name);
    for (const std::string& name : names) {
      const bool is_of_a_sandbox = std::count(earlier_.begin(), earlier_.end(), name) > 0;
      const bool exists = std::filesystem::exists(folder / name);
      if (is_of_a_sandbox || !exists) continue;
      throw std::runtime_error(stages::printable((folder / name).string(), 1000) +
                               " is there already, and no sandbox has made it: give another folder");
    }
  }

  /// Call before the files of this sandbox are written.
  void begin() {
    std::ofstream list(list_, std::ios::trunc);
    for (const std::string& name : names_) list << name << "\n";
    for (const std::string& name : earlier_) {
      const bool plain = !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
      if (plain && std::count(names_.begin(), names_.end(), name) == 0) {
        std::filesystem::remove(list_.parent_path() / name);
      }
    }
  }

 private:
  /// Held until it is closed.
  struct Lock {
    Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() {
      if (descriptor >= 0) ::close(descriptor);
    }

    int descriptor = -1;
  };

  const std::filesystem::path list_;
  const std::vector<std::string> names_;
  std::vector<std::string> earlier_;
  Lock lock_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif

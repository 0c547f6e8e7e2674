/// Shared by several tests.
#ifndef WECHATPAY_TESTS_SUPPORT_HPP
#define WECHATPAY_TESTS_SUPPORT_HPP

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "wechatpay/bonus_commit/request.hpp"

namespace wechatpay::bonus_commit {

/// The example from WeChat Pay's documentation page.
inline BonusCommitRequest seed_request() {
  return {"478515832665",    "478515832665", "1217752501201407033233368018", "1230000109", "1900000109", 30,
          MerchantMode::both};
}

inline constexpr const char* seed_path =
    "/v3/marketing/membercard-open/cards/478515832665/codes/478515832665/bonus/commit";
inline constexpr const char* seed_body =
    R"({"out_trade_no":"1217752501201407033233368018","mchid":"1230000109","sub_mchid":"1900000109","bonus_value":30})";

/// Unix time as a time point.
inline std::chrono::system_clock::time_point at(std::int64_t seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

/// An existing host, and a port on which no program listens. Systems do not assign this port automatically.
inline constexpr const char* nobody = "https://127.0.0.1:1";

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// `text` with `by` in place of each `part`.
inline std::string replaced(std::string text, std::string_view part, std::string_view by) {
  for (std::size_t found = 0; (found = text.find(part, found)) != std::string::npos; found += by.size()) {
    text.replace(found, part.size(), by);
  }
  return text;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// On Linux.
inline std::set<std::string> threads_of_this_process() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) found.insert(entry.path().string());
  return found;
}

/// A temporary folder of the test, removed at its end.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() / ("wechatpay-test-" + std::to_string(std::random_device()()))) {
    std::filesystem::create_directory(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path(const std::string& name) const { return (path_ / name).string(); }

  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

/// Sets environment variables for a test, and restores them at its end.
class TestEnvironment {
 public:
  TestEnvironment(std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const auto& [name, value] : variables) {
      const char* const before = std::getenv(name);
      before_[name] = before == nullptr ? std::nullopt : std::optional<std::string>(before);
      ::setenv(name, value, 1);
    }
  }
  TestEnvironment(const TestEnvironment&) = delete;
  TestEnvironment& operator=(const TestEnvironment&) = delete;
  ~TestEnvironment() {
    for (const auto& [name, value] : before_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

/// A command's standard output and exit status.
struct CommandResult {
  std::string output;
  int status = -1;
};

/// Quotes a word for the shell that `run` starts.
inline std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

inline CommandResult run(const std::string& command) {
  CommandResult result;
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  for (std::size_t size = 0; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, size);
  result.status = pclose(pipe);
  return result;
}

}  // namespace wechatpay::bonus_commit

#endif

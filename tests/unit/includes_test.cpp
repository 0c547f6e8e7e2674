// Which files may include which. The test reads the components from the folders. The allowed includes between folders
// are listed only here.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/config.hpp"

namespace wechatpay::bonus_commit {

namespace {

namespace fs = std::filesystem;

const fs::path source = WECHATPAY_SOURCE;
const fs::path headers = source / "include/wechatpay/bonus_commit";

/// The includes of a file, as written, without brackets or quotes. Only those that end with `ending`.
std::vector<std::string> includes_of(const fs::path& file, const std::string& ending = "") {
  const std::string text = read_text(file);
  const std::regex line(R"(#include [<"]([^>"]+)[>"])");
  std::vector<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), line); at != std::sregex_iterator(); ++at) {
    const std::string name = (*at)[1];
    if (name.size() >= ending.size() && name.substr(name.size() - ending.size()) == ending) found.push_back(name);
  }
  return found;
}

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

const std::string ours = "wechatpay/bonus_commit/";

/// The headers of one folder, in the form in which they are included.
std::vector<std::string> headers_in(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(headers / folder)) {
    if (entry.path().extension() == ".hpp") {
      found.push_back(ours + (folder.empty() ? "" : folder + "/") + entry.path().filename().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// All files of the folder include.
std::vector<fs::path> files_of_include() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(source / "include")) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  return found;
}

/// The headers of the umbrella header, then the optional ones.
std::vector<std::string> public_headers() {
  auto order = includes_of(headers.parent_path() / "bonus_commit.hpp");
  for (const char* optional : {"coroutine.hpp", "json.hpp"}) order.push_back(ours + optional);
  return order;
}

/// In the order in which a request passes through them.
std::vector<std::string> stages() {
  std::vector<std::string> order;
  for (const char* stage :
       {"text", "file_name", "check", "body", "base64", "signature", "retry_after", "verification", "nonce_memory",
        "redaction", "advice", "answer", "retry", "hosts", "rate_limiter", "commit_attempts"}) {
    order.push_back(ours + "stages/" + stage + ".hpp");
  }
  return order;
}

void expect_downward(const std::vector<std::string>& order) {
  for (auto header = order.begin(); header != order.end(); ++header) {
    for (const std::string& included : includes_of(source / "include" / *header, ".hpp")) {
      if (!begins(included, ours)) continue;
      EXPECT_NE(std::find(order.begin(), header, included), header) << *header << " includes " << included;
    }
  }
}

TEST(Includes, TheUmbrellaHoldsEveryPublicHeaderButTheOptionalOnes) {
  auto listed = public_headers();
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, headers_in(""));
}

TEST(Includes, OfPublicHeadersGoDownwardAndReachNoStage) { expect_downward(public_headers()); }

TEST(Includes, OfStagesGoDownward) {
  auto listed = stages();
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, headers_in("stages")) << "each has its place in the order";
  auto order = public_headers();
  for (const std::string& stage : stages()) order.push_back(stage);
  expect_downward(order);
}

TEST(Includes, ABodyIsIncludedByItsOwnHeaderAndWhereAllAreCompiled) {
  std::map<std::string, int> times;
  for (const fs::path& file : files_of_include()) {
    for (const std::string& body : includes_of(file, ".ipp")) ++times[body];
  }
  for (const auto& entry : fs::directory_iterator(headers / "impl")) {
    if (entry.path().extension() != ".ipp") continue;
    EXPECT_EQ(times[ours + "impl/" + entry.path().filename().string()], 2) << entry.path();
  }
}

TEST(Includes, OfIncludeAreOfTheStandardLibraryAndOursAlone) {
  for (const fs::path& file : files_of_include()) {
    for (const std::string& included : includes_of(file)) {
      const bool standard = included.find_first_of("/.") == std::string::npos;
      const bool opted_into = file.filename() == "json.hpp" && included == "nlohmann/json_fwd.hpp";
      EXPECT_TRUE(standard || begins(included, ours) || opted_into) << file << " includes " << included;
    }
  }
}

/// The subfolder ("room") of a file in src/. Empty for src/core.cpp.
std::string room_of(const fs::path& file) {
  const fs::path inside = file.lexically_relative(source / "src");
  return inside.has_parent_path() ? inside.begin()->string() : "";
}

std::vector<fs::path> sources() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(source / "src")) {
    if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp") found.push_back(entry.path());
  }
  return found;
}

TEST(Rooms, IncludeTheirOwnFilesAndWhatTheyStandOn) {
  // A bundle of CA certificates is read in the same way as key files, so curl may include openssl.
  const std::map<std::string, std::set<std::string>> stands_on = {
      {"curl", {"openssl"}}, {"testing", {"openssl"}}, {"tool", {"outbox", "testing"}}};
  for (const fs::path& file : sources()) {
    const std::string room = room_of(file);
    for (const std::string& included : includes_of(file, ".hpp")) {
      if (begins(included, "wechatpay/") || begins(included, "nlohmann/") || begins(included, "CLI/")) continue;
      const bool of_this_folder = included.find('/') == std::string::npos;
      const fs::path found = of_this_folder ? file.parent_path() / included : source / included;
      EXPECT_TRUE(fs::exists(found) && !contains(included, "..")) << file << " includes " << included;
      const std::string other = room_of(found);
      const auto known = stands_on.find(room);
      const bool allowed = other == room || (known != stands_on.end() && known->second.count(other) == 1);
      EXPECT_TRUE(allowed) << file << " includes " << included;
    }
  }
}

TEST(Rooms, TheFakeChecksByRulesOfItsOwn) {
  // These explain a client's own messages, or print text; they judge nothing for the fake.
  const std::set<std::string> others = {"captured.cpp", "output_folder.hpp", "sandbox.cpp"};
  std::size_t checked = 0;
  for (const fs::path& file : sources()) {
    if (room_of(file) != "testing" || others.count(file.filename().string()) == 1) continue;
    ++checked;
    for (const std::string& one : includes_of(file)) {
      EXPECT_FALSE(begins(one, ours + "stages/")) << file << " includes " << one;
    }
    EXPECT_FALSE(contains(read_text(file), "stages::")) << file;
  }
  EXPECT_GT(checked, others.size());
}

TEST(Rooms, AreOneForEachThirdParty) {
  const std::map<std::string, std::set<std::string>> rooms_of = {{"curl/", {"curl"}},
                                                                 {"openssl/", {"openssl", "testing"}},
                                                                 {"nlohmann/", {"json", "testing", "tool"}},
                                                                 {"httplib.h", {"testing", "tool"}},
                                                                 {"CLI/", {"tool"}},
                                                                 {"sqlite3.h", {"tool"}},
                                                                 {"libpq-fe.h", {"outbox"}},
                                                                 {"mysql.h", {"outbox"}}};
  const std::set<std::string> of_the_system = {"arpa/inet.h", "fcntl.h",      "netinet/in.h", "netinet/tcp.h",
                                               "poll.h",      "pthread.h",    "sched.h",      "sys/file.h",
                                               "sys/ioctl.h", "sys/socket.h", "sys/stat.h",   "unistd.h"};
  std::set<std::string> met;
  for (const fs::path& file : sources()) {
    for (const std::string& included : includes_of(file)) {
      bool known = included.find_first_of("/.") == std::string::npos || begins(included, "wechatpay/") ||
                   begins(included, "src/") || fs::exists(file.parent_path() / included) ||
                   of_the_system.count(included) == 1;
      for (const auto& [third_party, rooms] : rooms_of) {
        if (!begins(included, third_party)) continue;
        known = true;
        met.insert(third_party);
        if (file.filename() == "openssl_backend.cpp" && third_party == "openssl/") continue;
        EXPECT_EQ(rooms.count(room_of(file)), 1U) << file << " includes " << included;
      }
      EXPECT_TRUE(known) << file << " includes " << included << ", which has no room";
    }
  }
  EXPECT_EQ(met.size(), rooms_of.size());
}

TEST(Files, OfTheLibraryHaveAtMost400Lines) {
  std::vector<fs::path> files = sources();
  for (const fs::path& file : files_of_include()) files.push_back(file);
  for (const fs::path& file : files) {
    const std::string text = read_text(file);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 400) << file;
  }
}

/// The names that the umbrella header gives to users, from the declarations at the beginning of a line, outside of
/// further namespaces.
std::set<std::string> public_names() {
  const std::regex declaration(
      R"(^inline constexpr [^(]*?(\w+)(?: =|\{|\[|;)|^(?:class|struct|enum class|enum)(?: \[\[\w+\]\])?(?: WECHATPAY_BONUS_COMMIT_TYPE)? (\w+)|^using (\w+) =|^(?:inline |constexpr |WECHATPAY_BONUS_COMMIT_EXPORT |\[\[\w+\]\] |Result).*?(\w+)\()");
  std::set<std::string> names;
  for (const std::string& header : includes_of(headers.parent_path() / "bonus_commit.hpp")) {
    std::istringstream text(read_text(source / "include" / header));
    bool is_inner = false;
    for (std::string line; std::getline(text, line);) {
      if (begins(line, "namespace ") && line.back() == '{') is_inner = true;
      if (begins(line, "}  // namespace ")) is_inner = false;
      std::smatch match;
      if (is_inner || !std::regex_search(line, match, declaration)) continue;
      for (std::size_t i = 1; i < match.size(); ++i) {
        if (match[i].matched) names.insert(match[i]);
      }
    }
  }
  return names;
}

TEST(PublicNames, AreThoseOfTheList) {
  std::set<std::string> listed;
  std::istringstream list(read_text(source / "tests/headers/public_names.txt"));
  for (std::string name; std::getline(list, name);) listed.insert(name);
  std::vector<std::string> different;
  const auto names = public_names();
  std::set_symmetric_difference(names.begin(), names.end(), listed.begin(), listed.end(),
                                std::back_inserter(different));
  for (const std::string& name : different) {
    ADD_FAILURE() << name << (names.count(name) == 1 ? " is new" : " is no more") << ": tests/headers/public_names.txt";
  }
}

TEST(PublicNames, OfMacrosBeginWithThatOfTheLibrary) {
  const std::regex definition(R"(^\s*#\s*define\s+(\w+))");
  std::size_t macros = 0;
  for (const fs::path& file : files_of_include()) {
    std::istringstream text(read_text(file));
    for (std::string line; std::getline(text, line);) {
      std::smatch match;
      if (!std::regex_search(line, match, definition)) continue;
      ++macros;
      EXPECT_TRUE(begins(match[1].str(), "WECHATPAY_BONUS_COMMIT_")) << file << " defines " << match[1];
    }
  }
  EXPECT_GT(macros, 0U);
}

// The same as in the name of the shared library: a program that was linked with one patch release runs with each other
// patch release of the same minor version.
TEST(Version, IsInTheNameOfTheInlineNamespaceWithoutThePatch) {
  const std::string version = "v" + std::to_string(WECHATPAY_BONUS_COMMIT_VERSION_MAJOR) + "_" +
                              std::to_string(WECHATPAY_BONUS_COMMIT_VERSION_MINOR);
  EXPECT_TRUE(contains(read_text(headers / "config.hpp"), "inline namespace " + version + " {"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit

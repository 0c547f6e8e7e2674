// The headers are read in the order in which a request walks through them: each includes only what stands above it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/support.hpp"

namespace wechatpay {
namespace {

namespace fs = std::filesystem;

const fs::path include = fs::path(WECHATPAY_SOURCE) / "include";

/// What a header includes, as written, without the brackets or quotes.
std::vector<std::string> includes_of(const fs::path& header) {
  const std::string text = read_text(header);
  const std::regex line(R"(#include [<"]([^>"]+)[>"])");
  std::vector<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), line); at != std::sregex_iterator(); ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

bool ours(const std::string& name) { return name.rfind("wechatpay/", 0) == 0; }

TEST(Includes, TheUmbrellaHoldsEveryHeaderButTheOptionalOnes) {
  std::vector<std::string> listed = includes_of(include / "wechatpay/bonus_commit.hpp");
  std::vector<std::string> there;
  for (const auto& entry : fs::directory_iterator(include / "wechatpay/bonus_commit")) {
    const std::string name = entry.path().filename().string();
    const bool optional = name == "advice.hpp" || name == "answer.hpp" || name == "coroutine.hpp" ||
                          name == "json.hpp" || name == "nonce_memory.hpp" || name == "redaction.hpp" ||
                          name == "verification.hpp";
    if (entry.is_regular_file() && !optional) there.push_back("wechatpay/bonus_commit/" + name);
  }
  std::sort(listed.begin(), listed.end());
  std::sort(there.begin(), there.end());
  EXPECT_EQ(listed, there);
}

TEST(Includes, GoDownwardOnly) {
  std::vector<std::string> order = includes_of(include / "wechatpay/bonus_commit.hpp");
  ASSERT_GT(order.size(), 10U);
  for (const char* stage : {"nonce_memory.hpp", "verification.hpp", "redaction.hpp", "advice.hpp", "answer.hpp"}) {
    order.push_back(std::string("wechatpay/bonus_commit/") + stage);
  }
  for (auto header = order.begin(); header != order.end(); ++header) {
    for (const std::string& included : includes_of(include / *header)) {
      if (!ours(included)) continue;
      EXPECT_NE(std::find(order.begin(), header, included), header) << *header << " includes " << included;
    }
  }
}

TEST(Includes, AreOfTheStandardLibraryAndOursAlone) {
  for (const auto& entry : fs::recursive_directory_iterator(include)) {
    if (!entry.is_regular_file()) continue;
    for (const std::string& included : includes_of(entry.path())) {
      const bool standard = included.find_first_of("/.") == std::string::npos;
      const bool opted_into = entry.path().filename() == "json.hpp" && included == "nlohmann/json_fwd.hpp";
      EXPECT_TRUE(standard || ours(included) || opted_into) << entry.path() << " includes " << included;
    }
  }
}

}  // namespace
}  // namespace wechatpay

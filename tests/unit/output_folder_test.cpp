// The folder of a sandbox's files, in which a user may have other files, too.
#include "src/testing/output_folder.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <filesystem>
#include <set>
#include <string>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

/// Why a sandbox that writes a.pem cannot have this folder; empty if it can.
std::string refusal_of_folder(const std::string& folder) {
  try {
    const OutputFolder made(folder, {"a.pem"});
  } catch (const std::exception& exception) {
    return exception.what();
  }
  return "";
}

TEST(OutputFolder, LosesTheFilesOfAnEarlierSandboxAndNoOthers) {
  const TemporaryFolder parent;
  const std::string folder = parent.path("folder");
  std::filesystem::create_directories(folder + "/sub");
  for (const char* name : {"outside", "folder/old.pem", "folder/a.pem", "folder/mine", "folder/sub/file"}) {
    parent.write(name, "x");
  }
  parent.write("folder/.sandbox-files", "old.pem\na.pem\ngone.pem\n../outside\nsub/file\n.\n..\n\n");
  OutputFolder made(folder, {"a.pem", "b.pem"});
  made.begin();
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{".sandbox-files", "a.pem", "mine", "sub"}));
  EXPECT_EQ(read_text(parent.path("outside")), "x");
  EXPECT_EQ(read_text(folder + "/sub/file"), "x");
  EXPECT_EQ(read_text(folder + "/.sandbox-files"), "a.pem\nb.pem\n");
}

TEST(OutputFolder, IsRefusedWithAFileThatNoSandboxHasMade) {
  const TemporaryFolder folder;
  folder.write("a.pem", "mine");
  EXPECT_TRUE(contains(refusal_of_folder(folder.path("")), "a.pem is there already, and no sandbox has made it"));
  EXPECT_EQ(read_text(folder.path("a.pem")), "mine");
  std::filesystem::remove(folder.path("a.pem"));
  EXPECT_EQ(refusal_of_folder(folder.path("")), "") << "it is not locked by the one before";
}

TEST(OutputFolder, IsOfOneSandboxAtATime) {
  const TemporaryFolder folder;
  {
    const OutputFolder first(folder.path(""), {"a.pem"});
    EXPECT_TRUE(contains(refusal_of_folder(folder.path("")), "is in use by another sandbox"));
  }
  EXPECT_EQ(refusal_of_folder(folder.path("")), "");
}

TEST(OutputFolder, IsNoFile) {
  const TemporaryFolder folder;
  EXPECT_NE(refusal_of_folder(folder.write("file", "x")), "");
  EXPECT_EQ(read_text(folder.path("file")), "x");
}

}  // namespace
}  // namespace wechatpay::bonus_commit

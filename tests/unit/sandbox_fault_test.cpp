#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace wechatpay {
namespace {

TEST(SandboxFault, ReadsEveryForm) {
  for (const SandboxFault::Form& form : SandboxFault::forms()) {
    std::string text(form.text);
    for (const auto& [placeholder, value] : {std::pair<std::string, std::string>{"NNN", "503"},
                                             {"MILLISECONDS", "20"},
                                             {"RETRY-AFTER", "Wed, 21 Oct 2026 07:28:00 GMT"}}) {
      if (const std::size_t at = text.find(placeholder); at != std::string::npos) {
        text.replace(at, placeholder.size(), value);
      }
    }
    const auto fault = SandboxFault::parse(text);
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(fault->argument.empty() ? fault->name : fault->name + ":" + fault->argument, text);
  }
}

TEST(SandboxFault, NamesWhatIsNone) {
  for (const std::string text : {"", "nothing", "NNN", "204", "99", "1000", "600", "delay", "delay:", "delay:x", "slow",
                                 "slow:-1", "reset:1", "delay:MILLISECONDS", "429:a\nb", "ok:"}) {
    const auto fault = SandboxFault::parse(text);
    ASSERT_FALSE(fault) << text;
    EXPECT_TRUE(contains(fault.error().message, "not a fault of the sandbox's")) << text;
    EXPECT_TRUE(contains(fault.error().message, "drop-after")) << text;
  }
}

}  // namespace
}  // namespace wechatpay

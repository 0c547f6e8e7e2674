#include "sandbox_faults.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace testing;

namespace {

using Kind = SandboxFault::Kind;

TEST(SandboxFaults, AreReadByTheirNames) {
  for (const char* text : {"drop-before", "drop-after", "drop-half", "reset", "early-close", "polite-close",
                           "extra-answer", "html", "redirect", "wrong-signature", "unsigned", "stale-timestamp",
                           "unknown-serial", "probe", "duplicate-header", "garbage", "large-headers", "large-body"}) {
    const auto fault = parse_fault(text);
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(to_string(*fault), text);
  }
  EXPECT_EQ(parse_fault("ok").value().kind, Kind::none);
}

TEST(SandboxFaults, AreReadWithTheirArguments) {
  EXPECT_EQ(parse_fault("delay:20").value().kind, Kind::delay);
  EXPECT_EQ(parse_fault("delay:20").value().pause, std::chrono::milliseconds(20));
  EXPECT_EQ(parse_fault("slow:999999").value().kind, Kind::slow);
  EXPECT_EQ(parse_fault("slow:999999").value().pause, std::chrono::milliseconds(999999));
  for (const auto& [text, status] : {std::pair("200", 200), std::pair("503", 503), std::pair("599", 599)}) {
    EXPECT_EQ(parse_fault(text).value().kind, Kind::http_status);
    EXPECT_EQ(parse_fault(text).value().status, status);
    EXPECT_EQ(parse_fault(text).value().retry_after, "");
    EXPECT_EQ(to_string(parse_fault(text).value()), text);
  }
  const auto late = parse_fault("429:Wed, 21 Oct 2026 07:28:00 GMT");
  EXPECT_EQ(late.value().status, 429);
  EXPECT_EQ(late.value().retry_after, "Wed, 21 Oct 2026 07:28:00 GMT");
}

TEST(SandboxFaults, AreNotReadFromOtherText) {
  for (const char* text : {"",
                           "nothing",
                           "NNN",
                           "NNN:RETRY-AFTER",
                           "204",
                           "99",
                           "199",
                           "600",
                           "1000",
                           "50x",
                           "delay:7x",
                           "delay",
                           "delay:",
                           "slow",
                           "delay:x",
                           "slow:-1",
                           "delay:1000000",
                           "reset:1",
                           "reset:",
                           "429:",
                           "429:a\nb",
                           "ok:",
                           "delay:MILLISECONDS",
                           " 503",
                           "none"}) {
    EXPECT_FALSE(parse_fault(text)) << text;
  }
}

TEST(SandboxFaults, AreListedWithTheirMeanings) {
  EXPECT_TRUE(
      contains(list_of_faults(), "\n  drop-after            commits, and closes the connection without an answer\n"));
  EXPECT_TRUE(contains(list_of_faults(), "\n  delay:MILLISECONDS    that answer, after a delay\n"));
}

TEST(SandboxFault, RefusesAStatusThatWouldPassForSuccessOrIsNone) {
  for (const int status : {-1, 0, 199, 204, 600}) {
    EXPECT_THROW(static_cast<void>(SandboxFault(status)), std::invalid_argument) << status;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool

#include "screen.hpp"

#include <gtest/gtest.h>

namespace wechatpay::bonus_commit::tool {

namespace {

TEST(Screen, DrawsTheBarAgainBelowALine) {
  Screen screen;
  ::testing::internal::CaptureStderr();
  screen.show_bar("[##..]", false);
  screen.say("a line");
  const std::string shown = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(shown, "\r\33[K[##..]\r\33[Ka line\n[##..]");
}

TEST(Screen, LeavesTheLastBarAndDrawsNoneAfterIt) {
  Screen screen;
  ::testing::internal::CaptureStderr();
  screen.show_bar("[####]", true);
  screen.say("a line");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "\r\33[K[####]\na line\n");
}

}  // namespace

}  // namespace wechatpay::bonus_commit::tool

#include "wechatpay/bonus_commit/one_shot.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace wechatpay {
namespace {

TEST(OneShot, CallsTheLatestListenerOnce) {
  OneShot event;
  int first = 0;
  int second = 0;
  std::function<void()> listener = [&] { ++first; };
  EXPECT_TRUE(event.listen(listener));
  listener = [&] { ++second; };
  EXPECT_TRUE(event.listen(listener));
  EXPECT_FALSE(event.happened());
  event.happen();
  event.happen();
  EXPECT_TRUE(event.happened());
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST(OneShot, LeavesAListenerThatComesTooLateToItsOwner) {
  OneShot event;
  event.happen();
  int calls = 0;
  std::function<void()> listener = [&] { ++calls; };
  EXPECT_FALSE(event.listen(listener));
  event.happen();
  EXPECT_EQ(calls, 0);
  listener();
  EXPECT_EQ(calls, 1);
}

TEST(OneShot, MayBeLetGoOfByItsListener) {
  auto event = std::make_unique<OneShot>();
  std::function<void()> listener = [&] { event.reset(); };
  EXPECT_TRUE(event->listen(listener));
  event->happen();
  EXPECT_EQ(event, nullptr);
}

}  // namespace
}  // namespace wechatpay

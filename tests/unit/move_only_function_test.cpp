#include "wechatpay/bonus_commit/move_only_function.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace wechatpay::bonus_commit {

namespace {

int twice(int number) { return 2 * number; }

TEST(MoveOnlyFunction, CallsWhatCannotBeCopied) {
  MoveOnlyFunction<int(int)> add = [five = std::make_unique<int>(5)](int number) { return *five + number; };
  EXPECT_EQ(add(1), 6);
  MoveOnlyFunction<int(int)> moved = std::move(add);
  EXPECT_FALSE(add);
  EXPECT_EQ(moved(2), 7);
}

TEST(MoveOnlyFunction, TakesWhateverCanBeCalled) {
  MoveOnlyFunction<int(int)> function = twice;
  EXPECT_EQ(function(4), 8);
  function = std::function<int(int)>(twice);
  EXPECT_EQ(function(4), 8);
  function = [calls = 0](int number) mutable { return number + ++calls; };
  EXPECT_EQ(function(10), 11);
  EXPECT_EQ(function(10), 12);
  MoveOnlyFunction<void(int)> without_result = twice;
  without_result(4);
  static_assert(!std::is_constructible_v<MoveOnlyFunction<int(int)>, std::string>);
  static_assert(!std::is_copy_constructible_v<MoveOnlyFunction<int(int)>>);
}

TEST(MoveOnlyFunction, HandsItsArgumentsOn) {
  MoveOnlyFunction<std::unique_ptr<int>(std::unique_ptr<int>, int&)> function = [](std::unique_ptr<int> owned,
                                                                                   int& other) {
    other = *owned;
    return owned;
  };
  int seen = 0;
  EXPECT_EQ(*function(std::make_unique<int>(3), seen), 3);
  EXPECT_EQ(seen, 3);
}

TEST(MoveOnlyFunction, IsEmptyWhereItIsMadeOfNothing) {
  EXPECT_FALSE(MoveOnlyFunction<int(int)>());
  EXPECT_FALSE(MoveOnlyFunction<int(int)>(nullptr));
  EXPECT_FALSE(MoveOnlyFunction<int(int)>(static_cast<int (*)(int)>(nullptr)));
  EXPECT_FALSE(MoveOnlyFunction<int(int)>(std::function<int(int)>()));
  EXPECT_FALSE(MoveOnlyFunction<int(int)>(MoveOnlyFunction<int(long)>()));
  EXPECT_FALSE(MoveOnlyFunction<int(const std::string&)>(static_cast<int std::string::*>(nullptr)));
#if defined(__cpp_lib_move_only_function)
  EXPECT_FALSE(MoveOnlyFunction<int(int)>(std::move_only_function<int(int)>()));
#endif
  EXPECT_TRUE(MoveOnlyFunction<int(int)>(twice));
}

TEST(MoveOnlyFunction, DestroysWhatItHolds) {
  const auto held = std::make_shared<int>();
  MoveOnlyFunction<void()> function = [held] {};
  EXPECT_EQ(held.use_count(), 2);
  function = nullptr;
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

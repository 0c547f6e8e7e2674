// A thread that waits for a place in a batch is woken after a large part of the places is given back, not after each.
#include "wechatpay/bonus_commit/impl/places.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

Places taken(std::size_t all) {
  Places places(all);
  while (places.take()) {
  }
  return places;
}

/// Gives the places back one after the other. Returns the counts at which the waiting threads are woken.
std::vector<std::size_t> wakes(std::size_t all) {
  Places places = taken(all);
  std::vector<std::size_t> woken;
  for (std::size_t given = 1; given <= all; ++given) {
    if (places.give()) woken.push_back(given);
  }
  return woken;
}

TEST(PlacesOfABatch, AreAsManyAsTheyShouldBe) {
  Places places(3);
  EXPECT_TRUE(places.all_free());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(places.any_free());
    EXPECT_TRUE(places.take());
  }
  EXPECT_FALSE(places.take());
  EXPECT_FALSE(places.any_free());
  EXPECT_FALSE(places.all_free());
}

TEST(PlacesOfABatch, WakeForTheFirstOneAndForAQuarterOfThem) {
  EXPECT_EQ(wakes(64), (std::vector<std::size_t>{1, 16}));
  EXPECT_EQ(wakes(9), (std::vector<std::size_t>{1, 2}));
}

TEST(PlacesOfABatch, WakeOnceWhereTheyAreFew) {
  for (const std::size_t few : {1U, 2U, 4U, 7U}) EXPECT_EQ(wakes(few), (std::vector<std::size_t>{1})) << few;
}

TEST(PlacesOfABatch, WakeAgainWheneverAllHaveBeenTakenInBetween) {
  Places places = taken(64);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(places.give());
    EXPECT_FALSE(places.good_part_free());
    EXPECT_TRUE(places.take());
  }
}

TEST(PlacesOfABatch, KnowAGoodPartOfThemWhetherItIsReachedByGivingOrByTaking) {
  Places places = taken(8);
  places.give();
  EXPECT_FALSE(places.good_part_free());
  places.give();
  EXPECT_TRUE(places.good_part_free());
  places.give();
  EXPECT_TRUE(places.good_part_free());
  places.take();
  places.take();
  EXPECT_FALSE(places.good_part_free());
}

}  // namespace
}  // namespace wechatpay::bonus_commit

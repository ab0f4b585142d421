#include "base/random.h"

#include <array>
#include <limits>

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

// A simulation's seed must give the same run on every machine and in every version.
TEST(Random, SameSeedSameNumbers) {
  Random random(42);
  const uint64_t expected[] = {1546998764402558742u, 6990951692964543102u, 12544586762248559009u};
  for (const uint64_t number : expected) EXPECT_EQ(random.Next(), number);
}

TEST(Random, SeedsDiffer) {
  Random one(1);
  Random two(2);
  EXPECT_NE(one.Next(), two.Next());
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
  Random random(7);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) ++seen.at(random.Below(10));
  for (const int count : seen) {
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1200);
  }
}

TEST(Random, BetweenIncludesBothEnds) {
  Random random(7);
  bool first = false;
  bool last = false;
  for (int i = 0; i < 200; ++i) {
    const int64_t number = random.Between(-2, 2);
    ASSERT_GE(number, -2);
    ASSERT_LE(number, 2);
    first |= number == -2;
    last |= number == 2;
  }
  EXPECT_TRUE(first && last);
  EXPECT_EQ(random.Between(5, 5), 5);
}

TEST(Random, BetweenCoversTheWholeRange) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  Random random(7);
  bool negative = false;
  bool positive = false;
  for (int i = 0; i < 100; ++i) {
    const int64_t number = random.Between(kMin, kMax);
    negative |= number < 0;
    positive |= number > 0;
    EXPECT_LT(random.Between(kMin, -2), 0);
  }
  EXPECT_TRUE(negative && positive);
}

TEST(Random, ChanceIsCertainAtItsEnds) {
  Random random(7);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(random.Chance(0));
    EXPECT_TRUE(random.Chance(1));
  }
}

}  // namespace
}  // namespace bellwether::base

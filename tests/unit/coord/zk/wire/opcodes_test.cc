#include "coord/zk/wire/opcodes.h"

#include <cstdint>
#include <set>

#include "gtest/gtest.h"

namespace bellwether::coord::zk::wire {
namespace {

// Z47: -10, -1, 0, 13 and 20 have a meaning, but not for clients.
TEST(Opcodes, OnlyThoseOfClientsAreRequestable) {
  const std::set<int32_t> requestable = {-11, 1,  2,  3,  4,  5,  6,   7,   8,   9,
                                         11,  12, 14, 15, 16, 17, 18,  19,  21,  22,
                                         100, 101, 102, 103, 104, 105, 106, 107};
  for (int32_t number = -1000; number <= 1000; ++number) {
    EXPECT_EQ(IsRequestable(number), requestable.contains(number)) << number;
  }
  EXPECT_FALSE(IsRequestable(INT32_MIN));
  EXPECT_FALSE(IsRequestable(INT32_MAX));
}

}  // namespace
}  // namespace bellwether::coord::zk::wire

#include "base/record/partitioner.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwether::record {
namespace {

TEST(Partitioner, HashesAsKafkasJavaClient) {
  EXPECT_EQ(Murmur2("21"), -973932308);
  EXPECT_EQ(Murmur2("foobar"), -790332482);
  EXPECT_EQ(Murmur2("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(Murmur2("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(Murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(Murmur2("abc"), 479470107);
}

TEST(Partitioner, GivesAPartitionWithinTheTopicForNegativeHashes) {
  EXPECT_EQ(PartitionForKey("21", 6), (-973932308 & 0x7fffffff) % 6);
  for (int i = 0; i < 1000; ++i) {
    const int32_t partition = PartitionForKey(std::to_string(i), 7);
    EXPECT_GE(partition, 0);
    EXPECT_LT(partition, 7);
  }
}

}  // namespace
}  // namespace bellwether::record

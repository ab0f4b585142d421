#include "broker/log/directory.h"

#include "broker/log/retention_class.h"
#include "gtest/gtest.h"

namespace bellwether::broker {
namespace {

constexpr int64_t kForever = -1;

DirectoryEntry Entry(int64_t first, int64_t last, uint64_t bytes, int64_t max_timestamp_ms,
                     std::vector<IndexPoint> points = {}) {
  return {.slice = nullptr,
          .stats = {Offset(first), Offset(last), bytes, max_timestamp_ms},
          .points = std::move(points)};
}

// Three entries of 10 offsets and 1000 bytes each; the middle one has two index points.
Directory ThreeEntries() {
  Directory directory;
  directory.AddEntry(Entry(0, 9, 1000, 100));
  directory.AddEntry(Entry(10, 19, 1000, 200, {{Offset(13), 120, 300}, {Offset(16), 150, 600}}));
  directory.AddEntry(Entry(20, 29, 1000, 180));
  return directory;
}

TEST(Directory, KeepsEverythingWithoutRetention) {
  EXPECT_EQ(ThreeEntries().RetentionStart({kForever, kForever}, Offset(0), 1'000'000), Offset(0));
}

TEST(Directory, TimeRetentionGivesUpEntriesAndPointsBeforeTheCutoff) {
  const Directory directory = ThreeEntries();
  const auto start = [&](int64_t now_ms) {
    return directory.RetentionStart({10, kForever}, Offset(0), now_ms);
  };
  EXPECT_EQ(start(110), Offset(0));   // the newest of the first entry is 10 ms old, not more
  EXPECT_EQ(start(111), Offset(10));
  EXPECT_EQ(start(130), Offset(10));
  EXPECT_EQ(start(131), Offset(13));
  EXPECT_EQ(start(161), Offset(16));
  // The last entry is old enough at 191, but the one before isn't: no holes.
  EXPECT_EQ(start(200), Offset(16));
  EXPECT_EQ(start(211), Offset(30));
}

TEST(Directory, TimeRetentionNeverGoesBack) {
  EXPECT_EQ(ThreeEntries().RetentionStart({10, kForever}, Offset(13), 111), Offset(13));
}

TEST(Directory, SizeRetentionKeepsAtLeastTheBytesAskedFor) {
  const Directory directory = ThreeEntries();
  const auto start = [&](int64_t retention_bytes, int64_t log_start = 0) {
    return directory.RetentionStart({kForever, retention_bytes}, Offset(log_start), 0);
  };
  EXPECT_EQ(start(3000), Offset(0));
  EXPECT_EQ(start(2001), Offset(0));
  EXPECT_EQ(start(2000), Offset(10));
  EXPECT_EQ(start(1701), Offset(10));
  EXPECT_EQ(start(1700), Offset(13));
  EXPECT_EQ(start(1399), Offset(16));
  EXPECT_EQ(start(1000), Offset(20));
  EXPECT_EQ(start(999), Offset(20));
  EXPECT_EQ(start(0), Offset(30));
}

TEST(Directory, SizeCountsFromTheLogStart) {
  Directory directory = ThreeEntries();
  EXPECT_EQ(directory.RemoveBelow(Offset(13)).size(), 1u);
  EXPECT_EQ(directory.BytesFrom(Offset(13)), 1700u);
  EXPECT_EQ(directory.RetentionStart({kForever, 1700}, Offset(13), 0), Offset(13));
  EXPECT_EQ(directory.RetentionStart({kForever, 1400}, Offset(13), 0), Offset(16));
}

TEST(Directory, FindsStretchesFromAnOffset) {
  const Directory directory = ThreeEntries();
  auto ranges = directory.RangesFrom(Offset(12), 1);
  ASSERT_EQ(ranges.size(), 2u);  // how much of the first is wanted is not known
  EXPECT_EQ(ranges[0].first_offset, Offset(12));
  EXPECT_EQ(ranges[0].last_offset, Offset(19));
  EXPECT_EQ(ranges[1].first_offset, Offset(20));
  EXPECT_EQ(directory.RangesFrom(Offset(0), 1001).size(), 3u);
  EXPECT_EQ(directory.RangesFrom(Offset(29), 1001).size(), 1u);
}

TEST(Directory, FindsStretchesForATimestamp) {
  const Directory directory = ThreeEntries();
  auto ranges = directory.RangesForTimestamp(151, Offset(0));
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].first_offset, Offset(16));
  EXPECT_EQ(ranges[1].first_offset, Offset(20));
  // At 150 the batch with that timestamp is before the second point.
  EXPECT_EQ(directory.RangesForTimestamp(150, Offset(0))[0].first_offset, Offset(13));
  EXPECT_EQ(directory.RangesForTimestamp(101, Offset(0))[0].first_offset, Offset(10));
  EXPECT_EQ(directory.RangesForTimestamp(0, Offset(4))[0].first_offset, Offset(4));
  EXPECT_TRUE(directory.RangesForTimestamp(201, Offset(0)).empty());
}

TEST(RetentionClass, HoldsTheRetentionAndFewSlices) {
  EXPECT_EQ(RetentionClassOf(-1), kRetentionClasses - 1);
  EXPECT_EQ(RetentionClassOf(INT64_MAX), kRetentionClasses - 1);
  EXPECT_EQ(RetentionClassOf(0), 0);
  for (int retention_class = 0; retention_class < kRetentionClasses - 1; ++retention_class) {
    const absl::Duration longest = LongestRetention(retention_class);
    EXPECT_EQ(RetentionClassOf(absl::ToInt64Milliseconds(longest)), retention_class);
    EXPECT_EQ(RetentionClassOf(absl::ToInt64Milliseconds(longest) + 1), retention_class + 1);
    EXPECT_GE(DefaultSliceDuration(retention_class), absl::Hours(1));
    EXPECT_LE(longest / DefaultSliceDuration(retention_class), 16.0);
  }
  EXPECT_EQ(DefaultSliceDuration(kRetentionClasses - 1), absl::InfiniteDuration());
}

}  // namespace
}  // namespace bellwether::broker

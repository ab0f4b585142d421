#include "broker/log/keys.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwether::broker {
namespace {

TEST(LogKeys, SortAsNumbers) {
  EXPECT_LT(BatchKey(PartitionUid(1), Offset(255)), BatchKey(PartitionUid(1), Offset(256)));
  EXPECT_LT(BatchKey(PartitionUid(1), Offset(INT64_MAX)), BatchKey(PartitionUid(2), Offset(0)));
  EXPECT_LT(EntryKey(PartitionUid(1), SliceId(9)), PointKey(PartitionUid(1), SliceId(9), Offset(0)));
  EXPECT_LT(PointKey(PartitionUid(1), SliceId(9), Offset(5)),
            EntryKey(PartitionUid(1), SliceId(10)));
  EXPECT_LT(EpochKey(PartitionUid(3), LeaderEpoch(9)), EpochKey(PartitionUid(3), LeaderEpoch(10)));
}

TEST(LogKeys, RecordsRoundTrip) {
  const PartitionRecord partition = {
      {base::Uuid(1, 2), 3}, PartitionUid(4), {.retention_ms = -1, .retention_bytes = 6}};
  const auto decoded = DecodePartition(PartitionKey(partition.id), EncodePartition(partition));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->id, partition.id);
  EXPECT_EQ(decoded->uid, partition.uid);
  EXPECT_EQ(decoded->config, partition.config);

  const auto log = DecodeLog(LogKey(PartitionUid(7)),
                             EncodeLog({PartitionUid(7), Offset(8), Offset(9)}));
  EXPECT_EQ(log->uid, PartitionUid(7));
  EXPECT_EQ(log->log_start, Offset(8));
  EXPECT_EQ(log->log_end, Offset(9));

  const auto epoch = DecodeEpoch(EpochKey(PartitionUid(7), LeaderEpoch(2)),
                                 EncodeEpoch({PartitionUid(7), {LeaderEpoch(2), Offset(5)}}));
  EXPECT_EQ(epoch->start.epoch, LeaderEpoch(2));
  EXPECT_EQ(epoch->start.start_offset, Offset(5));

  const auto slice = DecodeSlice(SliceKey(SliceId(5)), EncodeSlice({SliceId(5), 2, 10, 20}));
  EXPECT_EQ(slice->id, SliceId(5));
  EXPECT_EQ(slice->retention_class, 2);
  EXPECT_EQ(slice->opened_ms, 20);

  const auto entry = DecodeEntry(EncodeEntry({Offset(1), Offset(2), 3, 4}));
  EXPECT_EQ(entry->last_offset, Offset(2));
  EXPECT_EQ(entry->max_timestamp_ms, 4);

  const auto key = DecodeDirectoryKey(PointKey(PartitionUid(1), SliceId(2), Offset(3)));
  ASSERT_TRUE(key->is_point);
  const auto point = DecodePoint(*key, EncodePoint({Offset(3), 4, 5}));
  EXPECT_EQ(point->offset, Offset(3));
  EXPECT_EQ(point->max_timestamp_before_ms, 4);
  EXPECT_EQ(point->bytes_before, 5u);
}

TEST(LogKeys, SliceFamiliesAreRecognized) {
  EXPECT_TRUE(IsSliceFamilyName(SliceFamilyName(SliceId(42))));
  EXPECT_EQ(SliceIdOfFamilyName(SliceFamilyName(SliceId(42))), SliceId(42));
  EXPECT_FALSE(IsSliceFamilyName("default"));
  EXPECT_FALSE(IsSliceFamilyName("slice-"));
  EXPECT_FALSE(IsSliceFamilyName("slice-x1"));
}

TEST(LogKeys, RefuseOtherFormatsAndDamage) {
  const std::string key = LogKey(PartitionUid(7));
  std::string value = EncodeLog({PartitionUid(7), Offset(8), Offset(9)});
  EXPECT_EQ(DecodeLog(key, value.substr(0, 5)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeLog(key, value + "x").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeLog(key, "").status().code(), absl::StatusCode::kDataLoss);
  value[0] = 2;
  EXPECT_EQ(DecodeLog(key, value).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bellwether::broker

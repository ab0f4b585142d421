#include <filesystem>
#include <thread>

#include "base/status.h"
#include "rocksdb/db.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace bellwether::broker {
namespace {

class SliceTest : public LogTest {
 protected:
  SliceTest() { options_.slice_duration = absl::Seconds(1); }

  // Lets the thread that makes slices ahead get to `count` slices.
  void AwaitSlices(uint64_t count) {
    const absl::Duration end = base::SystemClock().Monotonic() + absl::Seconds(30);
    while (Metric("bell_log_slices") < count) {
      ASSERT_LT(base::SystemClock().Monotonic(), end) << Metric("bell_log_slices") << " slices";
      std::this_thread::yield();
    }
  }

  // One record in each of `count` slices.
  void FillSlices(PartitionLog& log, int count) {
    for (int i = 0; i < count; ++i) {
      const uint64_t slices = Metric("bell_log_slices");
      AppendValue(log, std::to_string(i));
      AwaitSlices(slices);
      clock_.Advance(absl::Seconds(1));
    }
  }

  std::vector<std::string> Families() const {
    std::vector<std::string> names;
    EXPECT_TRUE(
        rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), options_.path, &names).ok());
    return names;
  }

  uint64_t DataFileBytes() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.path)) {
      if (entry.path().extension() == ".sst") bytes += entry.file_size();
    }
    return bytes;
  }
};

TEST_F(SliceTest, TimeMakesSlicesAndReadsCrossThem) {
  Open();
  auto log = Create(0);
  for (int i = 0; i < 5; ++i) {
    AppendValue(*log, std::to_string(i));
    AwaitSlices(static_cast<uint64_t>(i) + 2);  // those in use and the next
    clock_.Advance(absl::Seconds(1));
  }
  const std::vector<std::string> expected = {"0", "1", "2", "3", "4"};
  EXPECT_EQ(Values(*log, Offset(0)), expected);
  log.reset();
  Open();
  log = store_->Find(Id(0));
  EXPECT_EQ(Values(*log, Offset(0)), expected);
  EXPECT_EQ(Values(*log, Offset(3)), (std::vector<std::string>{"3", "4"}));
  log.reset();
  store_.reset();
  EXPECT_EQ(Families().size(), 2u + 6u);  // default, directory; five in use and the next
}

TEST_F(SliceTest, BytesMakeSlicesToo) {
  options_.slice_duration = absl::InfiniteDuration();
  options_.slice_bytes_max = 1000;
  Open();
  const auto log = Create(0);
  for (uint64_t i = 0; i < 4; ++i) {
    AppendValue(*log, std::string(1000, 'x'));
    AwaitSlices(i + 2);
  }
}

TEST_F(SliceTest, DroppingASliceFreesItsFiles) {
  options_.tail_bytes_max = 0;
  Open();
  const auto log = Create(0, {.retention_ms = 10'000});
  const std::string megabyte(500'000, 'x');
  AppendValue(*log, megabyte);
  AppendValue(*log, megabyte);
  AwaitSlices(2);
  clock_.Advance(absl::Seconds(5));
  AppendValue(*log, "next slice");
  AwaitSlices(3);
  store_.reset();
  Open();  // whatever was in memory is in files now
  const auto reopened = store_->Find(Id(0));
  const uint64_t bytes_before = DataFileBytes();
  EXPECT_GT(bytes_before, 1'000'000u);
  EXPECT_EQ(store_->RunRetention(clock_.Wall())->slices_dropped, 0);
  clock_.Advance(absl::Seconds(6));
  const auto result = store_->RunRetention(clock_.Wall());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->partitions_advanced, 1);
  EXPECT_EQ(result->slices_dropped, 1);
  EXPECT_EQ(reopened->offsets().log_start, Offset(2));
  EXPECT_LT(DataFileBytes(), bytes_before - 900'000);
  EXPECT_EQ(Values(*reopened, Offset(2)), std::vector<std::string>{"next slice"});
  EXPECT_EQ(reopened->Read(Offset(1), 100).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(SliceTest, ASliceStaysWhileAnyPartitionNeedsIt) {
  Open();
  const auto brief = Create(0, {.retention_ms = 1000});
  const auto lasting = Create(1, {.retention_ms = 6 * 3'600'000});
  AppendValue(*brief, "gone soon");
  AppendValue(*lasting, "kept");
  AwaitSlices(2);
  clock_.Advance(absl::Minutes(1));
  const auto result = store_->RunRetention(clock_.Wall());
  EXPECT_EQ(result->partitions_advanced, 1);
  EXPECT_EQ(result->slices_dropped, 0);
  EXPECT_EQ(brief->offsets().log_start, Offset(1));
  EXPECT_EQ(brief->offsets().log_end, Offset(1));
  EXPECT_EQ(Values(*lasting, Offset(0)), std::vector<std::string>{"kept"});
  ASSERT_TRUE(Delete(1).ok());
  EXPECT_EQ(store_->RunRetention(clock_.Wall())->slices_dropped, 1);
}

TEST_F(SliceTest, AnEmptiedLogKeepsItsOffsetsAcrossReopening) {
  Open();
  auto log = Create(0, {.retention_ms = 1000});
  FillSlices(*log, 3);
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(store_->RunRetention(clock_.Wall()).ok());
  log.reset();
  Open();
  log = store_->Find(Id(0));
  EXPECT_EQ(log->offsets().log_start, Offset(3));
  EXPECT_EQ(log->offsets().log_end, Offset(3));
  EXPECT_EQ(log->size_bytes(), 0u);
  EXPECT_EQ(Append(*log, MakeBatch({{1, "x"}}))->base_offset, Offset(3));
}

TEST_F(SliceTest, SizeRetentionKeepsAtLeastTheBytesAskedFor) {
  options_.index_interval_bytes = 1000;
  Open();
  auto log = Create(0, {.retention_ms = -1, .retention_bytes = 5000});
  for (int i = 0; i < 100; ++i) AppendValue(*log, std::string(400, 'x'));
  ASSERT_TRUE(store_->RunRetention(clock_.Wall()).ok());
  const LogOffsets offsets = log->offsets();
  EXPECT_GT(offsets.log_start, Offset(80));
  EXPECT_GE(log->size_bytes(), 5000u);
  EXPECT_LT(log->size_bytes(), 5000u + 1000u + 500u);
  EXPECT_EQ(Values(*log, offsets.log_start).size(),
            static_cast<size_t>(offsets.log_end - offsets.log_start));
  const uint64_t size_bytes = log->size_bytes();
  log.reset();
  Open();
  log = store_->Find(Id(0));
  EXPECT_EQ(log->offsets().log_start, offsets.log_start);
  EXPECT_EQ(log->size_bytes(), size_bytes);
}

TEST_F(SliceTest, AChainIsNeverLongerThanItsBound) {
  Open();
  const auto log = Create(0);
  for (int i = 0; i < 60; ++i) {
    AppendValue(*log, std::to_string(i));
    if (i < 20) AwaitSlices(static_cast<uint64_t>(i) + 2);
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_LE(Metric("bell_log_slices"), 33u);
  EXPECT_EQ(Values(*log, Offset(0)).size(), 60u);
}

TEST_F(SliceTest, AChangedClassMovesNewAppendsOnly) {
  options_.slice_duration = absl::Hours(1);
  Open();
  auto log = Create(0, {.retention_ms = 1000});
  AppendValue(*log, "first class");
  ASSERT_TRUE(Configure(0, {.retention_ms = -1}).ok());
  AppendValue(*log, "last class");
  ASSERT_TRUE(Configure(0, {.retention_ms = 1000}).ok());
  AppendValue(*log, "still there: its old slice has an older entry");
  EXPECT_EQ(Values(*log, Offset(0)).size(), 3u);
  log.reset();
  Open();
  log = store_->Find(Id(0));
  ASSERT_EQ(Values(*log, Offset(0)).size(), 3u);
  EXPECT_EQ(Values(*log, Offset(0))[0], "first class");
  AppendValue(*log, "goes on");
}

TEST_F(SliceTest, AFamilyWithoutARecordIsDroppedWhenOpening) {
  Open();
  auto log = Create(0);
  AppendValue(*log, "x");
  AwaitSlices(2);
  log.reset();
  store_.reset();
  {
    std::vector<std::string> names = Families();
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) {
      descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, options_.path, descriptors, &handles, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    handles.emplace_back();
    ASSERT_TRUE(
        db->CreateColumnFamily({}, "slice-000000000099", &handles.back()).ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  }
  EXPECT_EQ(Families().size(), 5u);
  Open();
  store_.reset();
  EXPECT_EQ(Families().size(), 4u);
}

}  // namespace
}  // namespace bellwether::broker

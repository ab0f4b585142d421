#include "broker/log/log_store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/status.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace bellwether::broker {
namespace {

using LogStoreTest = LogTest;

TEST_F(LogStoreTest, ReadsBackWhatWasAppended) {
  Open();
  const auto log = Create(0);
  for (int i = 0; i < 10; ++i) AppendValue(*log, std::to_string(i));
  EXPECT_EQ(log->offsets().log_start, Offset(0));
  EXPECT_EQ(log->offsets().high_watermark, Offset(10));
  EXPECT_EQ(log->offsets().log_end, Offset(10));
  const std::vector<std::string> values = Values(*log, Offset(0));
  EXPECT_EQ(values, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(Values(*log, Offset(8)), (std::vector<std::string>{"8", "9"}));
}

TEST_F(LogStoreTest, KeepsEverythingAcrossReopening) {
  Open();
  auto log = Create(3, {.retention_ms = 1000, .retention_bytes = 77});
  AppendValue(*log, "first");
  ASSERT_TRUE(Append(*log, MakeBatch({{1, "a"}, {2, "b"}}), 4).ok());
  log.reset();
  Open();
  ASSERT_EQ(store_->Partitions().size(), 1u);
  log = store_->Find(Id(3));
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->config(), (PartitionConfig{.retention_ms = 1000, .retention_bytes = 77}));
  EXPECT_EQ(Values(*log, Offset(0)), (std::vector<std::string>{"first", "a", "b"}));
  ASSERT_EQ(log->epochs().size(), 2u);
  EXPECT_EQ(log->epochs()[1].epoch, LeaderEpoch(4));
  EXPECT_EQ(log->epochs()[1].start_offset, Offset(1));
  EXPECT_EQ(Append(*log, MakeBatch({{3, "c"}}), 3).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Append(*log, MakeBatch({{3, "c"}}), 4)->base_offset, Offset(3));
}

// A loss of power in the middle of a write leaves its length, and not all of its pages.
TEST_F(LogStoreTest, CutsOffAWriteThatLossOfPowerTore) {
  Open();
  auto log = Create(0);
  AppendValue(*log, "kept");
  AppendValue(*log, std::string(20'000, 'x'));
  log.reset();
  store_.reset();
  std::filesystem::path newest;
  for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
    if (file.path().extension() == ".log") newest = std::max(newest, file.path());
  }
  std::string bytes = base::ReadFile(newest).value();
  bytes.replace(bytes.size() - 9000, 9000, 9000, '\0');
  ASSERT_TRUE(base::WriteFileDurably(newest, bytes).ok());
  Open();
  log = store_->Find(Id(0));
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(Values(*log, Offset(0)), (std::vector<std::string>{"kept"}));
  AppendValue(*log, "next");
}

TEST_F(LogStoreTest, RefusesBadBatchesWithoutTouchingTheLog) {
  Open();
  const auto log = Create(0);
  std::string damaged = MakeBatch({{1, "x"}});
  damaged.back() ^= 1;
  EXPECT_EQ(Append(*log, damaged).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Append(*log, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Append(*log, MakeBatch({{1, "x"}}) + "y").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(log->offsets().log_end, Offset(0));
  EXPECT_EQ(Metric("bell_log_rejected_batches_total{reason=\"invalid\"}"), 3u);
  AppendValue(*log, "good");
}

TEST_F(LogStoreTest, BoundsTheBytesOfABatch) {
  options_.batch_bytes_max = 1000;
  Open();
  const auto log = Create(0);
  EXPECT_EQ(Append(*log, MakeBatch({{1, std::string(1000, 'x')}})).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Append(*log, MakeBatch({{1, std::string(900, 'x')}})).ok());
}

TEST_F(LogStoreTest, ReadsOutsideTheLogSayItsBounds) {
  Open();
  const auto log = Create(0);
  AppendValue(*log, "x");
  EXPECT_TRUE(log->Read(Offset(1), 100)->batches.empty());
  for (const Offset offset : {Offset(-1), Offset(2)}) {
    const auto read = log->Read(offset, 100);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_NE(read.status().message().find("not within 0 and 1"), absl::string_view::npos);
  }
}

TEST_F(LogStoreTest, GivesWholeBatchesAndAlwaysOne) {
  for (const size_t tail_bytes_max : {size_t{0}, size_t{1} << 20}) {
    options_.tail_bytes_max = tail_bytes_max;
    options_.path = folder_ / std::to_string(tail_bytes_max);
    Open();
    const auto log = Create(0);
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(Append(*log, MakeBatch({{1, std::string(200, 'a')}, {1, "b"}})).ok());
    }
    const size_t batch_bytes = log->Read(Offset(0), 1)->batches[0]->size();
    EXPECT_EQ(log->Read(Offset(0), 1)->batches.size(), 1u);
    EXPECT_EQ(log->Read(Offset(0), 2 * batch_bytes)->batches.size(), 2u);
    EXPECT_EQ(log->Read(Offset(0), 3 * batch_bytes - 1)->batches.size(), 2u);
    // From inside a batch the whole batch is given.
    const auto read = log->Read(Offset(3), 1);
    EXPECT_EQ(record::ParseBatchHeader(*read->batches[0])->base_offset, 2);
  }
}

TEST_F(LogStoreTest, TailAndDiskGiveTheSameBytes) {
  options_.tail_bytes_max = 4000;
  Open();
  const auto log = Create(0);
  for (int i = 0; i < 100; ++i) AppendValue(*log, std::to_string(i));
  EXPECT_LE(Metric("bell_log_tail_bytes"), 4000u);
  std::vector<std::string> mixed;
  for (int i = 0; i < 100; ++i) mixed.push_back(*log->Read(Offset(i), 1)->batches.at(0));
  EXPECT_GT(Metric("bell_log_reads_total{source=\"tail\"}"), 0u);
  EXPECT_GT(Metric("bell_log_reads_total{source=\"disk\"}"), 0u);
  Open();  // nothing is in memory now
  const auto reopened = store_->Find(Id(0));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(*reopened->Read(Offset(i), 1)->batches.at(0), mixed[static_cast<size_t>(i)]);
  }
}

TEST_F(LogStoreTest, NotifiesWhenTheHighWatermarkPasses) {
  Open();
  const auto log = Create(0);
  AppendValue(*log, "0");
  std::atomic<int> woken = 0;
  EXPECT_EQ(log->NotifyWhenAbove(Offset(0), [&] { ++woken; }), 0u);  // it is above already
  EXPECT_EQ(woken, 1);
  const auto wait = log->NotifyWhenAbove(Offset(2), [&] { ++woken; });
  const auto cancelled = log->NotifyWhenAbove(Offset(1), [&] { woken += 100; });
  EXPECT_TRUE(log->CancelNotify(cancelled));
  EXPECT_FALSE(log->CancelNotify(cancelled));
  AppendValue(*log, "1");
  EXPECT_EQ(woken, 1);
  AppendValue(*log, "2");
  ASSERT_TRUE(store_->RunRetention(clock_.Wall()).ok());  // after the committer's callbacks
  EXPECT_EQ(woken, 2);
  EXPECT_FALSE(log->CancelNotify(wait));
}

TEST_F(LogStoreTest, DeletionForgetsAndNeverReusesAUid) {
  Open();
  auto log = Create(0);
  Create(1);
  AppendValue(*log, "old");
  std::atomic<int> woken = 0;
  log->NotifyWhenAbove(Offset(5), [&] { ++woken; });
  EXPECT_EQ(TryCreate(0).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(Delete(0).ok());
  EXPECT_EQ(Delete(0).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(store_->Find(Id(0)), nullptr);
  EXPECT_EQ(log->Read(Offset(0), 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Append(*log, MakeBatch({{1, "x"}})).status().code(), absl::StatusCode::kNotFound);
  // With the old uid the old batch, which is still in its slice, would be in the way.
  log = Create(0);
  EXPECT_EQ(log->offsets().log_end, Offset(0));
  AppendValue(*log, "new");
  Open();
  log = store_->Find(Id(0));
  EXPECT_EQ(Values(*log, Offset(0)), std::vector<std::string>{"new"});
  ASSERT_TRUE(Delete(0).ok());
  Open();
  EXPECT_EQ(store_->Find(Id(0)), nullptr);
  EXPECT_EQ(store_->Partitions().size(), 1u);
}

TEST_F(LogStoreTest, ManyPartitionsShareOneDatabase) {
  Open();
  std::vector<std::shared_ptr<PartitionLog>> logs;
  Answers answers;
  for (int partition = 0; partition < 300; ++partition) logs.push_back(Create(partition));
  for (int round = 0; round < 3; ++round) {
    for (int partition = 0; partition < 300; ++partition) {
      logs[static_cast<size_t>(partition)]->Append(
          MakeBatch({{1, fmt::format("{}/{}", partition, round)}}), LeaderEpoch(0),
          answers.Expect());
    }
  }
  for (const auto& result : answers.Wait()) ASSERT_TRUE(result.ok()) << result.status();
  logs.clear();
  Open();
  ASSERT_EQ(store_->Partitions().size(), 300u);
  for (int partition = 0; partition < 300; ++partition) {
    EXPECT_EQ(Values(*store_->Find(Id(partition)), Offset(0)),
              (std::vector<std::string>{fmt::format("{}/0", partition),
                                        fmt::format("{}/1", partition),
                                        fmt::format("{}/2", partition)}));
  }
  EXPECT_LE(Metric("bell_log_slices"), 2u);
}

TEST_F(LogStoreTest, RefusesAFolderInUse) {
  Open();
  base::Metrics metrics;
  LogOptions second = options_;
  second.metrics = &metrics;
  const absl::Status status = LogStore::Open(second).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(options_.path), absl::string_view::npos);
  EXPECT_NE(status.message().find("stop the other process"), absl::string_view::npos);
}

TEST_F(LogStoreTest, TellsAStoreFromNoneAndFromPiecesOfOne) {
  EXPECT_FALSE(*LogStore::IsAt(options_.path));
  std::filesystem::create_directory(options_.path);
  EXPECT_FALSE(*LogStore::IsAt(options_.path));
  Open();
  Create(0);
  store_.reset();
  EXPECT_TRUE(*LogStore::IsAt(options_.path));
  std::filesystem::remove(options_.path + "/CURRENT");
  EXPECT_EQ(LogStore::IsAt(options_.path).status().code(), absl::StatusCode::kDataLoss);
  // An empty store in its place would delete the pieces.
  const absl::Status opened = LogStore::Open(options_).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss) << opened;
  EXPECT_NE(opened.message().find(options_.path), absl::string_view::npos);
  EXPECT_NE(opened.message().find("restore it from a copy"), absl::string_view::npos);
}

TEST_F(LogStoreTest, RefusesConfigurationsThatMakeNoSense) {
  Open();
  EXPECT_EQ(TryCreate(0, {.retention_ms = -2}).code(), absl::StatusCode::kInvalidArgument);
  Create(0);
  EXPECT_EQ(Configure(0, {.retention_bytes = -5}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Configure(1, {}).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Configure(0, {.retention_ms = 5}).ok());
  Open();
  EXPECT_EQ(store_->Find(Id(0))->config().retention_ms, 5);
}

// The newest file of the folder with this extension.
std::string NewestFile(const std::string& folder, std::string_view extension) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == extension) newest = std::max(newest, entry.path().string());
  }
  return newest;
}

void FlipByte(const std::string& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 0x40));
}

TEST_F(LogStoreTest, DamageInTheMiddleOfTheWalFailsTheOpen) {
  Open();
  auto log = Create(0);
  for (int i = 0; i < 10; ++i) AppendValue(*log, std::string(500, 'x'));
  log.reset();
  store_.reset();
  const std::string wal = NewestFile(options_.path, ".log");
  FlipByte(wal, static_cast<std::streamoff>(std::filesystem::file_size(wal) / 2));
  metrics_ = std::make_unique<base::Metrics>();
  options_.metrics = metrics_.get();
  const absl::Status status = LogStore::Open(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_NE(status.message().find(options_.path), absl::string_view::npos);
}

TEST_F(LogStoreTest, AnIncompleteTailOfTheWalIsAnOrdinaryCrash) {
  Open();
  auto log = Create(0);
  for (int i = 0; i < 10; ++i) AppendValue(*log, std::string(500, 'x'));
  log.reset();
  store_.reset();
  const std::string wal = NewestFile(options_.path, ".log");
  std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 100);
  Open();
  log = store_->Find(Id(0));
  EXPECT_EQ(log->offsets().log_end, Offset(9));
  EXPECT_EQ(Values(*log, Offset(0)).size(), 9u);
  AppendValue(*log, "goes on");
}

}  // namespace
}  // namespace bellwether::broker

#include "absl/functional/function_ref.h"
#include "base/status.h"
#include "tests/support/fault_file_system.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace bellwether::broker {
namespace {

// A committer that the test can hold before a round: it asks for free space there.
class GroupCommitTest : public LogTest {
 protected:
  GroupCommitTest() : env_(rocksdb::NewCompositeEnv(files_)) {
    options_.env = env_.get();
    options_.free_bytes = [this]() -> absl::StatusOr<uint64_t> {
      base::MutexLock lock(gate_mutex_);
      while (held_) gate_changed_.Wait(gate_mutex_);
      return free_bytes_.load();
    };
  }
  ~GroupCommitTest() override { store_.reset(); }

  void Hold(bool held) {
    base::MutexLock lock(gate_mutex_);
    held_ = held;
    gate_changed_.SignalAll();
  }

  std::shared_ptr<FaultFileSystem> files_ = std::make_shared<FaultFileSystem>();
  std::unique_ptr<rocksdb::Env> env_;
  base::Mutex gate_mutex_;
  base::CondVar gate_changed_;
  bool held_ ABSL_GUARDED_BY(gate_mutex_) = false;
};

TEST_F(GroupCommitTest, OneSyncServesWhatQueuedUpOfAllPartitions) {
  Open();
  std::vector<std::shared_ptr<PartitionLog>> logs;
  for (int partition = 0; partition < 6; ++partition) logs.push_back(Create(partition));
  AppendValue(*logs[0], "the slices are there now");
  const int syncs_before = files_->syncs();
  const uint64_t counted_before = Metric("bell_log_syncs_total");
  Answers answers;
  Hold(true);
  for (int i = 0; i < 100; ++i) {
    for (const auto& log : logs) {
      log->Append(MakeBatch({{1, std::to_string(i)}}), LeaderEpoch(0), answers.Expect());
    }
  }
  Hold(false);
  for (const auto& result : answers.Wait()) ASSERT_TRUE(result.ok()) << result.status();
  // One round for the first append, one for all others; a slice may be made ahead meanwhile.
  EXPECT_LE(files_->syncs() - syncs_before, 10);
  EXPECT_LE(Metric("bell_log_syncs_total") - counted_before, 4u);
  EXPECT_EQ(Metric("bell_log_appended_batches_total"), 601u);
}

TEST_F(GroupCommitTest, OneSyncChangesManyPartitions) {
  constexpr int kPartitions = 100;
  Open();
  AppendValue(*Create(0), "the slices are there now");
  std::vector<PartitionSpec> wanted;
  std::vector<TopicPartition> ids;
  for (int partition = 0; partition <= kPartitions; ++partition) {
    wanted.push_back({Id(partition), {.retention_bytes = 1}});
    ids.push_back(Id(partition));
  }
  const auto syncs_of = [this](absl::FunctionRef<std::vector<absl::Status>()> change) {
    const uint64_t before = Metric("bell_log_syncs_total");
    const std::vector<absl::Status> outcomes = change();
    EXPECT_EQ(outcomes.size(), kPartitions + 1u);
    for (size_t i = 1; i < outcomes.size(); ++i) EXPECT_TRUE(outcomes[i].ok()) << outcomes[i];
    return Metric("bell_log_syncs_total") - before;
  };
  // Another one may be that of a slice made ahead.
  EXPECT_LE(syncs_of([&] { return store_->CreatePartitions(wanted); }), 2u);
  for (PartitionSpec& spec : wanted) spec.config.retention_bytes = 77;
  EXPECT_LE(syncs_of([&] { return store_->ConfigurePartitions(wanted); }), 2u);
  Open();
  EXPECT_EQ(store_->Partitions().size(), kPartitions + 1u);
  EXPECT_EQ(store_->Find(Id(7))->config().retention_bytes, 77);
  EXPECT_EQ(Values(*store_->Find(Id(0)), Offset(0)).size(), 1u) << "not made anew";
  AppendValue(*store_->Find(Id(kPartitions)), "usable");
  EXPECT_LE(syncs_of([&] { return store_->DeletePartitions(ids); }), 2u);
  Open();
  EXPECT_TRUE(store_->Partitions().empty());
}

TEST_F(GroupCommitTest, EachPartitionOfAListHasItsOwnOutcome) {
  Open();
  Create(0);
  const std::vector<absl::Status> created = store_->CreatePartitions(
      {{Id(0), {}}, {Id(1), {.retention_ms = -2}}, {Id(2), {}}, {Id(2), {}}});
  EXPECT_EQ(created[0].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(created[1].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(created[2].ok());
  EXPECT_EQ(created[3].code(), absl::StatusCode::kAlreadyExists);
  const std::vector<absl::Status> deleted = store_->DeletePartitions({Id(1), Id(2), Id(2)});
  EXPECT_EQ(deleted[0].code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(deleted[1].ok());
  EXPECT_EQ(deleted[2].code(), absl::StatusCode::kNotFound);
}

TEST_F(GroupCommitTest, AFailedSyncFailsTheWholeListAndWhatFollows) {
  Open();
  Create(0);
  files_->FailSyncs(true);
  const std::vector<absl::Status> created = store_->CreatePartitions({{Id(1), {}}, {Id(2), {}}});
  EXPECT_EQ(base::OutcomeOf(created[0]), base::Outcome::kUnknown);
  EXPECT_EQ(base::OutcomeOf(created[1]), base::Outcome::kUnknown);
  EXPECT_EQ(store_->Find(Id(1)), nullptr);
  EXPECT_EQ(Delete(0).code(), absl::StatusCode::kUnavailable);
  files_->FailSyncs(false);
}

TEST_F(GroupCommitTest, NothingIsAcknowledgedWithoutASync) {
  Open();
  const auto log = Create(0);
  for (int i = 0; i < 20; ++i) {
    const int syncs_before = files_->syncs();
    AppendValue(*log, "x");
    EXPECT_GT(files_->syncs(), syncs_before);
  }
}

TEST_F(GroupCommitTest, AFailedSyncLeavesTheOutcomeUnknownAndIsFatal) {
  Open();
  const auto log = Create(0);
  AppendValue(*log, "kept");
  Answers answers;
  Hold(true);
  log->Append(MakeBatch({{1, "in doubt"}}), LeaderEpoch(0), answers.Expect());
  files_->FailSyncs(true);
  Hold(false);
  const auto result = answers.Wait().front();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(base::OutcomeOf(result.status()), base::Outcome::kUnknown);
  files_->FailSyncs(false);
  // Never retried: what came later is refused, though the disk works again.
  const auto later = Append(*log, MakeBatch({{1, "later"}}));
  EXPECT_EQ(later.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::OutcomeOf(later.status()), base::Outcome::kRejected);
  EXPECT_EQ(log->offsets().high_watermark, Offset(1));
  EXPECT_EQ(Values(*log, Offset(0)), std::vector<std::string>{"kept"});
  EXPECT_FALSE(TryCreate(1).ok());
  store_->Stop();
  EXPECT_EQ(fatal_calls_, 1);
}

TEST_F(GroupCommitTest, AFullQueueRefusesAndRecovers) {
  options_.append_queue_bytes_max = 20000;
  Open();
  const auto log = Create(0);
  Answers answers;
  Hold(true);
  for (int i = 0; i < 100; ++i) {
    log->Append(MakeBatch({{1, std::string(1000, 'x')}}), LeaderEpoch(0), answers.Expect());
  }
  Hold(false);
  int refused = 0;
  for (const auto& result : answers.Wait()) {
    if (result.ok()) continue;
    EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(base::OutcomeOf(result.status()), base::Outcome::kRejected);
    ++refused;
  }
  EXPECT_GE(refused, 70);
  EXPECT_EQ(log->offsets().log_end, Offset(100 - refused));
  EXPECT_EQ(Metric("bell_log_rejected_batches_total{reason=\"queue_full\"}"),
            static_cast<uint64_t>(refused));
  AppendValue(*log, "room again");
}

TEST_F(GroupCommitTest, BelowTheDiskReserveAppendsAreRefusedAndReadsGoOn) {
  options_.disk_reserve_bytes = 1000;
  Open();
  const auto log = Create(0);
  AppendValue(*log, "before");
  free_bytes_ = 999;
  const auto refused = Append(*log, MakeBatch({{1, "refused"}}));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::OutcomeOf(refused.status()), base::Outcome::kRejected);
  EXPECT_NE(refused.status().message().find("disk full"), absl::string_view::npos);
  EXPECT_EQ(TryCreate(1).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Metric("bell_log_disk_full"), 1u);
  EXPECT_EQ(Values(*log, Offset(0)), std::vector<std::string>{"before"});
  EXPECT_TRUE(store_->RunRetention(clock_.Wall()).ok());
  free_bytes_ = 1000;
  AppendValue(*log, "after");
  EXPECT_EQ(Metric("bell_log_disk_full"), 0u);
  EXPECT_EQ(Values(*log, Offset(0)), (std::vector<std::string>{"before", "after"}));
}

TEST_F(GroupCommitTest, StoppingAnswersEverything) {
  Open();
  const auto log = Create(0);
  Answers answers;
  int woken = 0;
  EXPECT_NE(log->NotifyWhenAbove(Offset(1000), [&] { ++woken; }), 0u);
  for (int i = 0; i < 50; ++i) {
    log->Append(MakeBatch({{1, "x"}}), LeaderEpoch(0), answers.Expect());
  }
  store_->Stop();
  const std::vector<absl::StatusOr<AppendResult>> results = answers.Wait();
  const auto acknowledged =
      std::count_if(results.begin(), results.end(), [](const auto& result) { return result.ok(); });
  EXPECT_EQ(log->offsets().log_end, Offset(acknowledged));
  EXPECT_EQ(woken, 1);
  // A long poll that wakes now must not wait again.
  EXPECT_EQ(log->Read(log->offsets().high_watermark, 1).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(Append(*log, MakeBatch({{1, "x"}})).status().code(), absl::StatusCode::kUnavailable);
  Open();
  EXPECT_EQ(store_->Find(Id(0))->offsets().log_end, Offset(acknowledged));
}

}  // namespace
}  // namespace bellwether::broker

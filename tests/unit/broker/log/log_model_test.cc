#include <algorithm>

#include "base/random.h"
#include "base/status.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace bellwether::broker {
namespace {

// What a log should hold: all records ever appended, by offset.
using Model = std::vector<TestRecord>;

// Random appends, retention, reopening and slices of 1 s; after each step a random read and a
// random lookup of a timestamp must agree with the model.
class LogModelTest : public LogTest, public testing::WithParamInterface<int> {
 protected:
  static constexpr int kPartitions = 3;

  LogModelTest() : random_(static_cast<uint64_t>(GetParam())) {
    options_.slice_duration = absl::Seconds(1);
    options_.index_interval_bytes = 500;
    options_.tail_bytes_max = 3000;
    options_.round_bytes_max = 2000;
  }

  void AppendSome() {
    Answers answers;
    std::vector<std::pair<int, Offset>> expected;
    for (uint64_t batches = 1 + random_.Below(5); batches > 0; --batches) {
      const int partition = static_cast<int>(random_.Below(kPartitions));
      Model& model = models_[partition];
      expected.emplace_back(partition, Offset(static_cast<int64_t>(model.size())));
      std::vector<TestRecord> records;
      for (uint64_t count = 1 + random_.Below(4); count > 0; --count) {
        // Out of order by up to a minute.
        const int64_t timestamp_ms = clock_.WallMillis() + random_.Between(-60'000, 0);
        records.push_back({timestamp_ms, std::to_string(random_.Next())});
      }
      model.insert(model.end(), records.begin(), records.end());
      logs_[partition]->Append(MakeBatch(records), LeaderEpoch(epoch_), answers.Expect());
    }
    const auto results = answers.Wait();
    for (size_t i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(results[i].ok()) << results[i].status();
      EXPECT_EQ(results[i]->base_offset, expected[i].second);
    }
  }

  void Check() {
    for (int partition = 0; partition < kPartitions; ++partition) {
      const PartitionLog& log = *logs_[partition];
      const Model& model = models_[partition];
      const LogOffsets offsets = log.offsets();
      ASSERT_EQ(offsets.log_end, Offset(static_cast<int64_t>(model.size())));
      const Offset from(random_.Between(offsets.log_start.value(), offsets.log_end.value()));
      const std::vector<std::string> values = Values(log, from, 1 + random_.Below(2000));
      ASSERT_EQ(values.size(), model.size() - static_cast<size_t>(from.value()));
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_EQ(values[i], model[static_cast<size_t>(from.value()) + i].value);
      }
      CheckTimestamp(log, model, clock_.WallMillis() + random_.Between(-120'000, 1000));
    }
  }

  void CheckTimestamp(const PartitionLog& log, const Model& model, int64_t timestamp_ms) {
    const auto found = log.OffsetForTimestamp(timestamp_ms);
    ASSERT_TRUE(found.ok()) << found.status();
    const auto expected =
        std::find_if(model.begin() + log.offsets().log_start.value(), model.end(),
                     [&](const TestRecord& record) { return record.timestamp_ms >= timestamp_ms; });
    ASSERT_EQ(found->has_value(), expected != model.end());
    if (!found->has_value()) return;
    EXPECT_EQ((*found)->offset.value(), expected - model.begin());
    EXPECT_EQ((*found)->timestamp_ms, expected->timestamp_ms);
  }

  void Retain() {
    const auto result = store_->RunRetention(clock_.Wall());
    ASSERT_TRUE(result.ok()) << result.status();
    for (int partition = 0; partition < kPartitions; ++partition) {
      const PartitionLog& log = *logs_[partition];
      const Model& model = models_[partition];
      const PartitionConfig config = log.config();
      for (int64_t offset = 0; offset < log.offsets().log_start.value(); ++offset) {
        if (config.retention_bytes >= 0) continue;
        EXPECT_LT(model[static_cast<size_t>(offset)].timestamp_ms,
                  clock_.WallMillis() - config.retention_ms);
      }
    }
  }

  void Reopen() {
    std::vector<LogOffsets> before;
    for (const auto& log : logs_) before.push_back(log->offsets());
    logs_.clear();
    Open();
    for (int partition = 0; partition < kPartitions; ++partition) {
      logs_.push_back(store_->Find(Id(partition)));
      ASSERT_NE(logs_.back(), nullptr);
      EXPECT_EQ(logs_.back()->offsets().log_start, before[static_cast<size_t>(partition)].log_start);
      EXPECT_EQ(logs_.back()->offsets().log_end, before[static_cast<size_t>(partition)].log_end);
    }
    ++epoch_;
  }

  base::Random random_;
  int32_t epoch_ = 0;
  std::vector<std::shared_ptr<PartitionLog>> logs_;
  Model models_[kPartitions];
};

TEST_P(LogModelTest, AgreesWithTheModel) {
  Open();
  logs_ = {Create(0, {.retention_ms = 30'000}), Create(1, {.retention_ms = -1}),
           Create(2, {.retention_ms = -1, .retention_bytes = 2000})};
  for (int step = 0; step < 60 && !HasFatalFailure(); ++step) {
    AppendSome();
    clock_.Advance(absl::Milliseconds(random_.Below(1500)));
    if (random_.Chance(0.1)) Retain();
    if (random_.Chance(0.03)) Reopen();
    if (!HasFatalFailure()) Check();
  }
  EXPECT_GT(Metric("bell_log_slices"), 2u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LogModelTest, testing::Range(1, 7));

}  // namespace
}  // namespace bellwether::broker

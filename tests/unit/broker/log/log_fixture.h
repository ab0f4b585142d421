#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/record/record_batch.h"
#include "broker/log/log_store.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::broker {

// A wall clock that the test moves; the monotonic one stands still.
class ManualClock : public base::Clock {
 public:
  absl::Duration Monotonic() const override { return absl::ZeroDuration(); }
  absl::Time Wall() const override { return absl::FromUnixMillis(now_ms_.load()); }
  void Advance(absl::Duration by) { now_ms_ += absl::ToInt64Milliseconds(by); }

 private:
  std::atomic<int64_t> now_ms_ = 1'700'000'000'000;
};

// Waits for the answers of appends.
class Answers {
 public:
  AppendCallback Expect() {
    base::MutexLock lock(mutex_);
    const size_t index = results_.size();
    results_.emplace_back();
    return [this, index](absl::StatusOr<AppendResult> result) {
      base::MutexLock inner(mutex_);
      results_[index] = std::move(result);
      ++answered_;
      changed_.SignalAll();
    };
  }
  // All results, in order of Expect.
  std::vector<absl::StatusOr<AppendResult>> Wait() {
    base::MutexLock lock(mutex_);
    while (answered_ < results_.size()) changed_.Wait(mutex_);
    std::vector<absl::StatusOr<AppendResult>> all;
    for (const auto& result : results_) all.push_back(*result);
    return all;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  size_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::optional<absl::StatusOr<AppendResult>>> results_ ABSL_GUARDED_BY(mutex_);
};

// One record each, with its timestamp and value.
struct TestRecord {
  int64_t timestamp_ms = 0;
  std::string value;
};

inline std::string MakeBatch(const std::vector<TestRecord>& records) {
  record::BatchBuilder builder({});
  for (const TestRecord& test_record : records) {
    record::Record record;
    record.timestamp_ms = test_record.timestamp_ms;
    record.value = test_record.value;
    EXPECT_TRUE(builder.Append(record).ok());
  }
  return *builder.Finish();
}

// A store in a folder of its own, opened as the test says and reopened at will.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    options_.path = folder_ / "log";
    options_.clock = &clock_;
    options_.on_fatal = [this](const absl::Status& status) {
      ++fatal_calls_;
      last_fatal_code_ = static_cast<int>(status.code());
    };
    options_.free_bytes = [this]() -> absl::StatusOr<uint64_t> { return free_bytes_.load(); };
  }

  // Opens the store, after closing it when open.
  void Open() {
    store_.reset();
    metrics_ = std::make_unique<base::Metrics>();
    options_.metrics = metrics_.get();
    auto opened = LogStore::Open(options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  std::shared_ptr<PartitionLog> Create(int32_t partition, const PartitionConfig& config = {}) {
    const absl::Status created = TryCreate(partition, config);
    EXPECT_TRUE(created.ok()) << created;
    return store_->Find(Id(partition));
  }

  absl::Status TryCreate(int32_t partition, const PartitionConfig& config = {}) {
    return store_->CreatePartitions({{Id(partition), config}}).front();
  }
  absl::Status Configure(int32_t partition, const PartitionConfig& config) {
    return store_->ConfigurePartitions({{Id(partition), config}}).front();
  }
  absl::Status Delete(int32_t partition) {
    return store_->DeletePartitions({Id(partition)}).front();
  }

  static TopicPartition Id(int32_t partition) { return {base::Uuid(1, 2), partition}; }

  static absl::StatusOr<AppendResult> Append(PartitionLog& log, std::string batch,
                                             int32_t epoch = 0) {
    Answers answers;
    log.Append(std::move(batch), LeaderEpoch(epoch), answers.Expect());
    return answers.Wait().front();
  }

  // Appends a record whose value is `value`, stamped with the clock.
  void AppendValue(PartitionLog& log, const std::string& value) {
    const auto result = Append(log, MakeBatch({{clock_.WallMillis(), value}}));
    ASSERT_TRUE(result.ok()) << result.status();
  }

  // The values of all records from `offset` on, read in pieces of `bytes_max`.
  static std::vector<std::string> Values(const PartitionLog& log, Offset offset,
                                         size_t bytes_max = 1 << 20) {
    std::vector<std::string> values;
    while (offset < log.offsets().high_watermark) {
      const auto read = log.Read(offset, bytes_max);
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || read->batches.empty()) return values;
      for (const BatchRef& batch : read->batches) {
        auto reader = record::RecordReader::Open(*batch);
        EXPECT_TRUE(reader.ok()) << reader.status();
        record::Record record;
        while (*reader->Next(record)) {
          if (record.offset < offset.value()) continue;
          EXPECT_EQ(record.offset, offset.value());
          values.emplace_back(*record.value);
          ++offset;
        }
      }
    }
    return values;
  }

  uint64_t Metric(const std::string& line_begin) const {
    const std::string text = metrics_->Text();
    const size_t at = text.find("\n" + line_begin + " ");
    EXPECT_NE(at, std::string::npos) << line_begin;
    if (at == std::string::npos) return 0;
    return std::stoull(text.substr(at + line_begin.size() + 2));
  }

  ScratchFolder folder_;
  ManualClock clock_;
  std::atomic<uint64_t> free_bytes_ = uint64_t{1} << 40;
  std::atomic<int> fatal_calls_ = 0;
  std::atomic<int> last_fatal_code_ = 0;
  LogOptions options_;
  std::unique_ptr<base::Metrics> metrics_;
  std::unique_ptr<LogStore> store_;
};

}  // namespace bellwether::broker

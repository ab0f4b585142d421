#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/record/record_batch.h"
#include "broker/log/log_store.h"
#include "broker/log/partition_log.h"
#include "fmt/format.h"

namespace bellwether::broker {

// One intact batch of `count` records without compression.
inline std::string MakeBatch(int count = 1, size_t value_bytes = 10) {
  record::BatchBuilder builder({});
  const std::string value(value_bytes, 'v');
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(builder.Append({.timestamp_ms = 1, .value = std::string_view(value)}).ok());
  }
  return *builder.Finish();
}

// A partition log in memory. Appends become durable in Sync(), never by themselves; `fail_appends`
// makes them fail. Not thread-safe.
class FakeLog : public PartitionLog {
 public:
  FakeLog(TopicPartition id, const PartitionConfig& config) : id_(id), config_(config) {}

  absl::Status fail_appends;
  std::vector<EpochStart> epoch_starts;

  const TopicPartition& id() const override { return id_; }
  PartitionConfig config() const override { return config_; }
  void UseConfig(const PartitionConfig& config) { config_ = config; }
  LogOffsets offsets() const override { return offsets_; }
  uint64_t size_bytes() const override { return 0; }
  std::vector<EpochStart> epochs() const override { return epoch_starts; }

  void Append(std::string batch, LeaderEpoch epoch, AppendCallback done) override {
    if (!fail_appends.ok()) return done(fail_appends);
    const auto header = record::ValidateBatch(batch);
    if (!header.ok()) return done(header.status());
    record::PatchBatch(batch, offsets_.log_end.value(), epoch.value());
    const Offset base = offsets_.log_end;
    offsets_.log_end = base + header->record_count;
    queued_.push_back({base, std::make_shared<const std::string>(std::move(batch)),
                       std::move(done)});
  }

  // Makes what was appended durable, and tells.
  void Sync() {
    for (auto& append : std::exchange(queued_, {})) {
      const auto header = record::ParseBatchHeader(*append.batch);
      batches_[append.base] = append.batch;
      offsets_.high_watermark = Offset(header->next_offset());
      append.done(AppendResult{.base_offset = append.base,
                               .last_offset = Offset(header->last_offset())});
    }
    for (auto it = waits_.begin(); it != waits_.end();) {
      const auto next = std::next(it);
      if (it->second.first < offsets_.high_watermark) {
        auto wake = std::move(it->second.second);
        waits_.erase(it);
        wake();
      }
      it = next;
    }
  }

  void TrimTo(Offset start) { offsets_.log_start = start; }

  absl::StatusOr<ReadResult> Read(Offset offset, size_t bytes_max) const override {
    ++reads_;
    if (offset < offsets_.log_start || offset > offsets_.high_watermark) {
      return absl::OutOfRangeError("outside");
    }
    ReadResult result{.offsets = offsets_};
    size_t bytes = 0;
    auto it = batches_.upper_bound(offset);
    if (it != batches_.begin()) --it;
    for (; offset < offsets_.high_watermark && it != batches_.end(); ++it) {
      if (!result.batches.empty() && bytes + it->second->size() > bytes_max) break;
      bytes += it->second->size();
      result.batches.push_back(it->second);
    }
    return result;
  }

  absl::StatusOr<std::optional<OffsetAndTimestamp>> OffsetForTimestamp(
      int64_t timestamp_ms) const override {
    if (timestamp_ms > 1 || batches_.empty()) return std::nullopt;
    return OffsetAndTimestamp{.offset = offsets_.log_start, .timestamp_ms = 1};
  }

  WaitId NotifyWhenAbove(Offset offset, absl::AnyInvocable<void()> wake) override {
    if (offsets_.high_watermark > offset) {
      wake();
      return 0;
    }
    waits_.emplace(++last_wait_, std::pair(offset, std::move(wake)));
    return last_wait_;
  }
  bool CancelNotify(WaitId wait) override { return waits_.erase(wait) > 0; }

  size_t waits() const { return waits_.size(); }
  int reads() const { return reads_; }

 private:
  struct Queued {
    Offset base;
    BatchRef batch;
    AppendCallback done;
  };

  const TopicPartition id_;
  PartitionConfig config_;
  LogOffsets offsets_;
  std::vector<Queued> queued_;
  std::map<Offset, BatchRef> batches_;
  std::map<WaitId, std::pair<Offset, absl::AnyInvocable<void()>>> waits_;
  WaitId last_wait_ = 0;
  mutable int reads_ = 0;
};

// Logs in memory. `fail_creates` makes that many creations fail; `writes` counts lists of changes.
// Not thread-safe.
class FakeLogStore : public LogStore {
 public:
  int fail_creates = 0;
  int writes = 0;

  std::vector<absl::Status> CreatePartitions(const std::vector<PartitionSpec>& wanted) override {
    ++writes;
    std::vector<absl::Status> outcomes;
    for (const PartitionSpec& spec : wanted) outcomes.push_back(Create(spec));
    return outcomes;
  }
  std::vector<absl::Status> ConfigurePartitions(const std::vector<PartitionSpec>& wanted) override {
    ++writes;
    for (const PartitionSpec& spec : wanted) logs_.at(spec.id)->UseConfig(spec.config);
    return std::vector<absl::Status>(wanted.size());
  }
  std::vector<absl::Status> DeletePartitions(const std::vector<TopicPartition>& ids) override {
    ++writes;
    std::vector<absl::Status> outcomes;
    for (const TopicPartition& id : ids) {
      outcomes.push_back(logs_.erase(id) > 0 ? absl::OkStatus() : absl::NotFoundError("none"));
    }
    return outcomes;
  }
  std::shared_ptr<PartitionLog> Find(TopicPartition id) const override { return Fake(id); }
  std::vector<std::shared_ptr<PartitionLog>> Partitions() const override {
    std::vector<std::shared_ptr<PartitionLog>> all;
    for (const auto& [id, log] : logs_) all.push_back(log);
    return all;
  }
  absl::StatusOr<RetentionResult> RunRetention(absl::Time) override { return RetentionResult(); }
  void Stop() override {}

  std::shared_ptr<FakeLog> Fake(TopicPartition id) const {
    const auto it = logs_.find(id);
    return it == logs_.end() ? nullptr : it->second;
  }

 private:
  absl::Status Create(const PartitionSpec& spec) {
    if (fail_creates > 0) {
      --fail_creates;
      return absl::ResourceExhaustedError("disk full, says the test");
    }
    return logs_.emplace(spec.id, std::make_shared<FakeLog>(spec.id, spec.config)).second
               ? absl::OkStatus()
               : absl::AlreadyExistsError("exists");
  }

  std::map<TopicPartition, std::shared_ptr<FakeLog>> logs_;
};

}  // namespace bellwether::broker

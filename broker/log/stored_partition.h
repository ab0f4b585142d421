#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "broker/log/batch_reader.h"
#include "broker/log/directory.h"
#include "broker/log/keys.h"
#include "broker/log/log_metrics.h"
#include "broker/log/partition_log.h"
#include "broker/log/tail_pool.h"

namespace bellwether::broker {

class StoredPartition;

// An append on its way to the committer.
struct AppendRequest {
  std::shared_ptr<StoredPartition> partition;  // shared: it may be deleted meanwhile
  std::string batch;
  record::BatchHeader header;  // of `batch`, validated
  LeaderEpoch epoch;
  AppendCallback done;
};

// Where a partition sends its appends: the committer.
class AppendQueue {
 public:
  virtual ~AppendQueue() = default;
  // Takes the request or answers it at once. Thread-safe.
  virtual void Enqueue(AppendRequest request) = 0;
};

// What one write changes in a partition, shown to readers when it is durable.
struct PartitionUpdate {
  DirectoryEntry entry;  // the last entry, with only the points that this write added
  bool is_new_entry = false;
  std::vector<EpochStart> new_epochs;
  std::vector<TailBatch> batches;
};

// PartitionLog over the database. Thread-safe; changed by the committer only, through the functions
// named so, and only after the change is durable.
class StoredPartition final : public PartitionLog,
                              public std::enable_shared_from_this<StoredPartition> {
 public:
  // What a log is when it is created or loaded.
  struct State {
    PartitionRecord record;
    Offset log_start;
    Offset log_end;
    std::vector<EpochStart> epochs;
    Directory directory;
  };

  // Where the next append goes: ahead of what readers see while a write is under way.
  struct Planned {
    Offset next_offset;
    std::optional<LeaderEpoch> last_epoch;
    SliceRef slice;               // of the last entry; nullptr when there is none
    EntryStats stats;             // of the last entry
    uint64_t last_point_bytes = 0;  // stats.bytes at the last index point
  };

  StoredPartition(State state, const Database& database, LogMetrics& metrics, AppendQueue& queue,
                  size_t batch_bytes_max);

  const TopicPartition& id() const override { return id_; }
  PartitionConfig config() const override;
  LogOffsets offsets() const override;
  uint64_t size_bytes() const override;
  std::vector<EpochStart> epochs() const override;
  void Append(std::string batch, LeaderEpoch epoch, AppendCallback done) override;
  absl::StatusOr<ReadResult> Read(Offset offset, size_t bytes_max) const override;
  absl::StatusOr<std::optional<OffsetAndTimestamp>> OffsetForTimestamp(
      int64_t timestamp_ms) const override;
  WaitId NotifyWhenAbove(Offset offset, absl::AnyInvocable<void()> wake) override;
  bool CancelNotify(WaitId wait) override;

  PartitionUid uid() const { return uid_; }

  // Committer only.
  Planned& planned() { return planned_; }
  bool deleted() const;
  // True when `slice` has an entry of this partition that is not the last one.
  bool HasOlderEntryIn(const Slice& slice) const;
  // Shows a durable write to readers; adds the notifications to be run to `wakes`.
  void Publish(PartitionUpdate update, TailPool& tail_pool,
               std::vector<absl::AnyInvocable<void()>>& wakes);
  void SetConfig(const PartitionConfig& config);
  Offset RetentionStart(int64_t now_ms) const;
  // Directory entries and epochs that a log start at `log_start` makes unnecessary.
  std::vector<DirectoryEntry> EntriesBelow(Offset log_start) const;
  std::vector<LeaderEpoch> EpochsBelow(Offset log_start) const;
  void AdvanceLogStart(Offset log_start);
  // Forgets all there is, for readers too, and returns the notifications to be run.
  std::vector<absl::AnyInvocable<void()>> MarkDeleted();
  // All notifications: the store stops.
  std::vector<absl::AnyInvocable<void()>> TakeWaits();
  // Called by TailPool.
  void DropOldestOfTail(Offset base_offset);

 private:
  using WaitKey = std::pair<Offset, WaitId>;

  // Fails when the partition is deleted or `offset` is not within [log start, high watermark].
  absl::Status CheckReadable(Offset offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<BatchRef> ReadTail(Offset offset, size_t bytes_max) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Number of entries in epochs_ that a log start at `log_start` makes unnecessary.
  size_t CountEpochsBelow(Offset log_start) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LogOffsets OffsetsLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return {log_start_, log_end_, log_end_};
  }

  const TopicPartition id_;
  const PartitionUid uid_;
  const size_t batch_bytes_max_;
  const BatchReader reader_;
  LogMetrics& metrics_;
  AppendQueue& queue_;

  Planned planned_;  // the committer's

  mutable base::Mutex mutex_;
  bool deleted_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  PartitionConfig config_ ABSL_GUARDED_BY(mutex_);
  Offset log_start_ ABSL_GUARDED_BY(mutex_);
  // End of what is durable: log end and, with replication 1, high watermark.
  Offset log_end_ ABSL_GUARDED_BY(mutex_);
  std::vector<EpochStart> epochs_ ABSL_GUARDED_BY(mutex_);
  Directory directory_ ABSL_GUARDED_BY(mutex_);
  std::deque<TailBatch> tail_ ABSL_GUARDED_BY(mutex_);  // contiguous, up to log_end_
  std::map<WaitKey, absl::AnyInvocable<void()>> waits_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<WaitId, Offset> wait_offsets_ ABSL_GUARDED_BY(mutex_);
  WaitId last_wait_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::broker

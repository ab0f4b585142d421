#pragma once

#include <array>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/log/slice_chains.h"
#include "broker/log/stored_partition.h"
#include "broker/log/tail_pool.h"
#include "rocksdb/write_batch.h"

namespace bellwether::broker {

// One group commit: the appends of all partitions that were queued, in one write and one sync.
// Lives on the committer's stack. In this order: Add each, Write, then Publish if that succeeded,
// then Answer.
class Round {
 public:
  Round(Database& database, SliceChains& chains, LogMetrics& metrics, size_t index_interval_bytes,
        int64_t now_ms);

  // Gives the batch its place in the partition's log, or refuses it: its answer is an error then.
  void Add(AppendRequest request);

  // Batches, leader epochs, directory and log numbers together. On error nobody knows what a
  // restart will find: all answers become unknown outcomes.
  absl::Status Write();

  // Shows the batches to readers. Returns the notifications to be run.
  std::vector<absl::AnyInvocable<void()>> Publish(TailPool& tail_pool);

  // Runs the callbacks, in order of Add.
  void Answer();

 private:
  struct PlannedAppend {
    AppendCallback done;
    absl::StatusOr<AppendResult> result;
  };
  struct PartitionRound {
    std::shared_ptr<StoredPartition> partition;
    PartitionUpdate update;
  };

  PartitionRound& RoundOf(const std::shared_ptr<StoredPartition>& partition);
  SliceRef SliceFor(const StoredPartition& partition, const StoredPartition::Planned& planned);
  void StartEntry(PartitionRound& round, SliceRef slice);
  void AddToEntry(PartitionRound& round, const record::BatchHeader& header, Offset base_offset);

  Database& database_;
  SliceChains& chains_;
  LogMetrics& metrics_;
  const size_t index_interval_bytes_;
  const int64_t now_ms_;

  rocksdb::WriteBatch batch_;
  std::vector<PlannedAppend> appends_;
  uint64_t records_ = 0;  // in batch_
  uint64_t bytes_ = 0;    // of record batches in batch_
  std::vector<PartitionRound> partitions_;
  absl::flat_hash_map<StoredPartition*, size_t> partition_index_;
  std::array<SliceRef, kRetentionClasses> slices_;  // that take this round's appends
};

}  // namespace bellwether::broker

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/record/record_batch.h"
#include "base/strong_id.h"
#include "base/uuid.h"
#include "fmt/format.h"

namespace rocksdb {
class Env;
}

// The vocabulary of the partition logs: what goes into LogStore and PartitionLog and comes out.
namespace bellwether::broker {

// Position of a record in its partition, from 0.
using Offset = base::StrongId<struct OffsetTag, int64_t>;
// Grows with each new leader of a partition, from 0.
using LeaderEpoch = base::StrongId<struct LeaderEpochTag, int32_t>;

// A partition as the cluster knows it. The topic's name is not known here.
struct TopicPartition {
  base::Uuid topic_id;
  int32_t partition = 0;  // from 0

  std::string ToString() const { return fmt::format("{}/{}", topic_id.ToString(), partition); }
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TopicPartition& id) {
    return H::combine(std::move(h), id.topic_id, id.partition);
  }
};

// What a topic's configuration says about a partition's log.
struct PartitionConfig {
  int64_t retention_ms = 604800000;  // 7 days; -1: keep for ever
  int64_t retention_bytes = -1;      // per partition; -1: no bound

  friend bool operator==(const PartitionConfig&, const PartitionConfig&) = default;
};

struct LogOptions {
  std::string path;                       // folder of the database; created when missing
  base::Metrics* metrics = nullptr;       // required; outlives the store
  base::Clock* clock = nullptr;           // required; outlives the store
  // Called once, from any thread, when a write or sync failed: the process must end. Required.
  std::function<void(const absl::Status&)> on_fatal;

  size_t batch_bytes_max = record::kBatchBytesMax;     // a larger batch is refused
  size_t append_queue_bytes_max = size_t{64} << 20;    // queued appends; beyond: refused
  size_t round_bytes_max = size_t{4} << 20;            // appends of one write and sync
  size_t tail_bytes_max = size_t{64} << 20;            // recent batches kept in memory, all partitions
  size_t write_buffer_bytes = size_t{32} << 20;        // memtable of a slice
  size_t index_interval_bytes = size_t{1} << 20;       // of a partition's log per time index point
  uint64_t disk_reserve_bytes = uint64_t{256} << 20;   // with less free space appends are refused
  // How long a slice takes appends. nullopt: 1/16 of the retention of its class, at least 1 h.
  std::optional<absl::Duration> slice_duration;
  // Bytes after which a slice is closed. 0: 1/128 of the disk, at least 1 GiB.
  uint64_t slice_bytes_max = 0;
  // Free space for appends. Empty: that of the file system of `path`.
  std::function<absl::StatusOr<uint64_t>()> free_bytes;
  rocksdb::Env* env = nullptr;  // nullptr: the operating system's
};

// Where an appended batch is.
struct AppendResult {
  Offset base_offset;       // of the batch's first record
  Offset last_offset;       // of its last record
  Offset log_start_offset;  // of the partition, when it was appended
};
// The batch is durable, or an error: rejected (RESOURCE_EXHAUSTED: queue or disk full;
// FAILED_PRECONDITION: old leader epoch; NOT_FOUND: partition deleted; UNAVAILABLE: store stopped
// or failed) or of unknown outcome (see base::OutcomeOf).
using AppendCallback = absl::AnyInvocable<void(absl::StatusOr<AppendResult>)>;

// A stored batch. Shared by the tail pool and every reader that is sending it; immutable.
using BatchRef = std::shared_ptr<const std::string>;

// The numbers of a partition's log: log_start <= high_watermark <= log_end.
struct LogOffsets {
  Offset log_start;       // first offset kept
  Offset high_watermark;  // end of what is durable on all in-sync replicas: readers see what is below
  Offset log_end;         // offset of the next record
};

struct ReadResult {
  LogOffsets offsets;             // when the read was made
  std::vector<BatchRef> batches;  // contiguous; the first may begin before the offset asked for
};

struct OffsetAndTimestamp {
  Offset offset;
  int64_t timestamp_ms = 0;  // since 1970
};

// Start of a leader epoch in a partition's log.
struct EpochStart {
  LeaderEpoch epoch;
  Offset start_offset;  // of the first batch appended in this epoch
};

}  // namespace bellwether::broker

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/log/log.h"
#include "broker/log/log_store.h"
#include "broker/service/limits.h"
#include "broker/service/led_partitions.h"

namespace bellwether::broker {

// Names one partition in one leadership, as clients do.
struct PartitionTarget {
  TopicPartition id;
  int32_t leader_epoch = -1;  // the one the client knows; -1: don't check
};

struct Produced {
  Offset base_offset;  // of the batch's first record
  LeaderEpoch leader_epoch;
};

// The special timestamps of a ListOffsets query.
inline constexpr int64_t kLatestTimestamp = -1;    // the end: the high watermark
inline constexpr int64_t kEarliestTimestamp = -2;  // the beginning: the log start

struct ListedOffset {
  Offset offset;
  int64_t timestamp_ms = -1;  // of the record found; -1: none
  LogOffsets log;
};

// What every frontend of the broker calls: produce, offsets, and the leaderships that consume
// streams read through. Thread-safe.
class BrokerService {
 public:
  // `within_deadline`: whether coord provably keeps this broker's session (K14). All outlive it.
  BrokerService(const ServiceLimits& limits, LedPartitions& partitions,
                std::function<bool()> within_deadline, base::Metrics& metrics);

  using ProduceDone = absl::AnyInvocable<void(absl::StatusOr<Produced>)>;

  // Appends one batch; `done` runs when it is durable (acks=all), on the committer thread or before
  // this returns, and must not block. That needs no session with coord: the state in coord names
  // this broker and its epoch until the controller writes another, and with one replica nobody
  // else can acknowledge. Errors: those of LedPartitions::Find; INVALID_ARGUMENT
  // "corrupt_batch" or "message_too_large"; UNAVAILABLE "queue_full"; RESOURCE_EXHAUSTED
  // "disk_full"; unknown when it may be in the log.
  void Produce(const PartitionTarget& target, std::string batch, ProduceDone done);

  // Blocks on the disk when asked for a time. Errors: those of LedPartitions::Find;
  // INVALID_ARGUMENT for another negative timestamp; UNAVAILABLE "session_deadline" for the latest
  // offset past the session's deadline, when another leader could know better; those of
  // PartitionLog::OffsetForTimestamp.
  absl::StatusOr<ListedOffset> ListOffset(const PartitionTarget& target, int64_t timestamp_ms);

  absl::StatusOr<std::shared_ptr<Leadership>> Find(const PartitionTarget& target) const {
    return partitions_.Find(target.id, target.leader_epoch);
  }

  const ServiceLimits& limits() const { return limits_; }

 private:
  const ServiceLimits limits_;
  LedPartitions& partitions_;
  const std::function<bool()> within_deadline_;
  base::Counter& batches_counter_;
  base::Counter& bytes_counter_;
  base::Counter& refused_counter_;
  base::Gauge& in_flight_gauge_;
  std::atomic<int64_t> in_flight_bytes_ = 0;
};

}  // namespace bellwether::broker

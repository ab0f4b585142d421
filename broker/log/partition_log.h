#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/log/log.h"

namespace bellwether::broker {

// The log of one partition on this broker. Made by LogStore; shared, because readers may hold it
// while the partition is deleted. Thread-safe. Knows no leadership: whoever appends vouches for it.
// Replication is 1 for now: the high watermark is the end of what is durable here.
//
// Invariants:
// - log_start <= high_watermark <= log_end, and none of them ever goes back
// - batches are contiguous from log_start to log_end; readers see durable ones only
class PartitionLog {
 public:
  // Names a pending notification; 0 is none.
  using WaitId = uint64_t;

  virtual ~PartitionLog() = default;
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;

  virtual const TopicPartition& id() const = 0;
  virtual PartitionConfig config() const = 0;
  virtual LogOffsets offsets() const = 0;
  // Bytes of the batches between log start and log end, to about index_interval_bytes.
  virtual uint64_t size_bytes() const = 0;
  // Leader epochs with batches in the log, oldest first, as needed to find where logs diverge.
  virtual std::vector<EpochStart> epochs() const = 0;

  // Appends one batch, a RecordBatch version 2 as the producer made it; base offset and leader
  // epoch are filled in. `done` runs once, on the committer thread, or before this returns when the
  // batch is refused at once: INVALID_ARGUMENT and DATA_LOSS as record::ValidateBatch, and the
  // errors of AppendCallback. It must not block nor call into LogStore. Appends of one thread to
  // one partition keep their order.
  virtual void Append(std::string batch, LeaderEpoch epoch, AppendCallback done) = 0;

  // Batches from the one that holds `offset` on, up to the high watermark: whole ones, at most
  // `bytes_max`, but always one when there is any (KIP-74). At the high watermark: none.
  // Errors: OUT_OF_RANGE below log start or above the high watermark (log start and end are in the
  // message); DATA_LOSS when a stored batch is damaged; NOT_FOUND when the partition was deleted;
  // UNAVAILABLE at the high watermark when the store stopped, since nothing will follow.
  virtual absl::StatusOr<ReadResult> Read(Offset offset, size_t bytes_max) const = 0;

  // The first record whose timestamp is at least `timestamp_ms`, of those below the high
  // watermark; nullopt when there is none. Timestamps need not be in order. Errors: as Read, and
  // DATA_LOSS when the records of a stored batch don't decode.
  virtual absl::StatusOr<std::optional<OffsetAndTimestamp>> OffsetForTimestamp(
      int64_t timestamp_ms) const = 0;

  // Runs `wake` once, as soon as the high watermark is above `offset`, the partition is deleted or
  // the store stops: on the committer thread, or before this returns (the result is 0 then). It
  // must not block. For long polls: wait above the high watermark last seen, then Read again.
  virtual WaitId NotifyWhenAbove(Offset offset, absl::AnyInvocable<void()> wake) = 0;

  // True when the notification won't run; false when it did, does right now, or is unknown.
  virtual bool CancelNotify(WaitId wait) = 0;

 protected:
  PartitionLog() = default;
};

}  // namespace bellwether::broker

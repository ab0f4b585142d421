#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/log/log.h"
#include "broker/log/partition_log.h"

namespace bellwether::broker {

// What a retention run did.
struct RetentionResult {
  int partitions_advanced = 0;  // partitions whose log start moved
  int slices_dropped = 0;       // slices whose files are gone
};

// All partition logs of one data folder, in one RocksDB. Knows no network and no topic names; a
// partition goes only when DeletePartition says so. Thread-safe. Owns the committer thread, which
// alone changes partitions and slices, and a thread that makes slices. No call here may be made
// from an append or notification callback: these run on the committer.
//
// Limits: see README.md.
class LogStore {
 public:
  // Opens or creates the store. Errors name the folder and the next step: INVALID_ARGUMENT,
  // PERMISSION_DENIED, FAILED_PRECONDITION (locked, or of a newer format), DATA_LOSS (damaged).
  static absl::StatusOr<std::unique_ptr<LogStore>> Open(LogOptions options);
  virtual ~LogStore() = default;
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Makes an empty log. Durable when this returns. Errors: ALREADY_EXISTS; INVALID_ARGUMENT
  // (configuration); RESOURCE_EXHAUSTED (disk full); UNAVAILABLE (stopped or failed).
  virtual absl::StatusOr<std::shared_ptr<PartitionLog>> CreatePartition(
      TopicPartition id, const PartitionConfig& config) = 0;

  // Forgets the log and everything in it; its space returns as retention drops slices. Appends
  // that are queued are rejected, waiters are called. Durable when this returns.
  // Errors: NOT_FOUND; UNAVAILABLE (stopped or failed).
  virtual absl::Status DeletePartition(TopicPartition id) = 0;

  // Changes a partition's configuration; a changed retention class moves new appends only. Durable
  // when this returns. Errors as CreatePartition, and NOT_FOUND.
  virtual absl::Status Configure(TopicPartition id, const PartitionConfig& config) = 0;

  // The log, or nullptr when this folder has none.
  virtual std::shared_ptr<PartitionLog> Find(TopicPartition id) const = 0;

  // All logs of this folder, those that the cluster doesn't know (stray) included.
  virtual std::vector<std::shared_ptr<PartitionLog>> Partitions() const = 0;

  // Applies retention as of `now` (wall clock) and drops the slices nobody needs any more. To be
  // called every few minutes, from one thread. Errors: UNAVAILABLE (stopped or failed).
  virtual absl::StatusOr<RetentionResult> RunRetention(absl::Time now) = 0;

  // Rejects what is queued, runs the waiters, joins the threads. Reads still work. Idempotent.
  virtual void Stop() = 0;

 protected:
  LogStore() = default;
};

}  // namespace bellwether::broker

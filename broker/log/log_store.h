#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/log/log.h"
#include "broker/log/partition_log.h"

namespace bellwether::broker {

// A partition and what its log is to be like.
struct PartitionSpec {
  TopicPartition id;
  PartitionConfig config;
};

// What a retention run did.
struct RetentionResult {
  int partitions_advanced = 0;  // partitions whose log start moved
  int slices_dropped = 0;       // slices whose files are gone
};

// All partition logs of one data folder, in one RocksDB. Knows no network and no topic names; a
// partition goes only when DeletePartitions says so. Thread-safe. Owns the committer thread, which
// alone changes partitions and slices, and a thread that makes slices. No call here may be made
// from an append or notification callback: these run on the committer.
//
// Limits: see README.md.
class LogStore {
 public:
  // Opens or creates the store. Errors name the folder and the next step: INVALID_ARGUMENT,
  // PERMISSION_DENIED, FAILED_PRECONDITION (locked, or of a newer format), DATA_LOSS (damaged).
  static absl::StatusOr<std::unique_ptr<LogStore>> Open(LogOptions options);
  // Whether there is a store in `path`, so that Open won't make an empty one. Errors: DATA_LOSS
  // when there are only pieces of one; PERMISSION_DENIED.
  static absl::StatusOr<bool> IsAt(const std::string& path);
  virtual ~LogStore() = default;
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // The next three change partitions, and return what became of each, in the order given; one that
  // fails does not keep others from it. Durable when they return, with one write and sync for all
  // that fit into a MiB. Errors of each: UNAVAILABLE (stopped or failed).

  // Makes empty logs. Errors: ALREADY_EXISTS; INVALID_ARGUMENT (configuration); RESOURCE_EXHAUSTED
  // (disk full).
  virtual std::vector<absl::Status> CreatePartitions(const std::vector<PartitionSpec>& wanted) = 0;

  // Changes configurations; a changed retention class moves new appends only. Errors: NOT_FOUND;
  // INVALID_ARGUMENT (configuration).
  virtual std::vector<absl::Status> ConfigurePartitions(
      const std::vector<PartitionSpec>& wanted) = 0;

  // Forgets logs and everything in them; their space returns as retention drops slices. Appends
  // that are queued are rejected, waiters are called. Errors: NOT_FOUND.
  virtual std::vector<absl::Status> DeletePartitions(const std::vector<TopicPartition>& ids) = 0;

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

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/executor.h"
#include "base/record/record_batch.h"
#include "client/producer.h"

namespace bellwether::client {

// A record whose outcome is awaited.
struct AwaitedRecord {
  Producer::Done done;
  int64_t timestamp_ms = 0;
};

// A finished batch and the records in it.
struct ProducerBatch {
  std::string bytes;
  std::vector<AwaitedRecord> records;
  size_t buffered_bytes = 0;  // what it takes of the producer's buffer
  absl::Duration deadline;    // on the monotonic clock: give up sending, or waiting
};

// The records of one partition on their way: one batch being filled, then batches waiting their
// turn, in order. Knows nothing of brokers. Not thread-safe: guarded by the producer's lock.
class PartitionBatches {
 public:
  PartitionBatches(const record::BatchBuilder::Options& options, absl::Duration delivery_timeout)
      : builder_(options), delivery_timeout_(delivery_timeout) {}

  // Adds a record at time `now`; finishes the open batch first when it doesn't fit. `done` is
  // moved from only on success. Errors: those of BatchBuilder.
  absl::Status Append(const record::Record& record, size_t buffered_bytes, absl::Duration now,
                      Producer::Done& done);

  // Moves the open batch, if any, to the waiting ones.
  absl::Status FinishOpen();

  bool has_open() const { return !builder_.empty(); }
  bool has_waiting() const { return !waiting_.empty(); }
  size_t waiting() const { return waiting_.size(); }  // batches
  absl::Duration first_deadline() const { return waiting_.front().deadline; }

  // Requires: has_waiting().
  ProducerBatch TakeFirst();
  void PutBack(ProducerBatch batch) { waiting_.push_front(std::move(batch)); }

  // All that is there, the open batch too, for giving up.
  std::vector<ProducerBatch> TakeAll();

 private:
  record::BatchBuilder builder_;
  const absl::Duration delivery_timeout_;
  ProducerBatch open_;  // its bytes are still in the builder
  std::deque<ProducerBatch> waiting_;
};

}  // namespace bellwether::client

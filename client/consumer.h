#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/record/record_batch.h"
#include "client/broker_types.h"

namespace bellwether::client {

// Where to begin in a partition.
struct StartPosition {
  enum class Kind {
    kBeginning,  // the first record that is kept
    kEnd,        // what is produced from now on
    kOffset,     // `value` is the offset
    kTail,       // the last `value` records
    kTimestamp,  // the first record at or after `value` ms since 1970
  };
  Kind kind = Kind::kBeginning;
  int64_t value = 0;
};

// A batch of records of one partition, in order. Records below `first_offset` are not part of it,
// though the batch holds them.
struct ConsumedBatch {
  int32_t partition = 0;
  Offset first_offset;  // as asked for
  Offset next_offset;   // where to go on after it
  Offset high_watermark;
  LeaderEpoch leader_epoch;
  std::string bytes;  // one record batch: read it with record::RecordReader
};

// Reads partitions of one topic, following leaders as they move: what is delivered of a partition
// is every record from the start position on, in order, each once. Buffers ahead.
// Poll and the rest are called from one thread.
// Limits: Options::buffer_bytes_max over all partitions.
class Consumer {
 public:
  struct Options {
    std::vector<std::string> addresses;  // "host:port" of brokers, one or more
    std::string topic;
    std::vector<int32_t> partitions;  // empty: all
    StartPosition start;
    size_t buffer_bytes_max = size_t{16} << 20;  // of batches not yet polled, shared by brokers
    absl::Duration timeout = absl::Seconds(10);  // to learn of the topic and its offsets
  };

  // Learns where to begin in each partition. Errors: NOT_FOUND for an unknown topic,
  // INVALID_ARGUMENT for a partition it doesn't have, OUT_OF_RANGE for an offset that isn't kept,
  // UNAVAILABLE when a partition is offline or no broker answers.
  static absl::StatusOr<std::unique_ptr<Consumer>> Open(Options options);
  virtual ~Consumer() = default;

  // The next batch; nullopt when none came within `timeout` (infinite: waits), or after Interrupt.
  // Errors are final: OUT_OF_RANGE when retention has overtaken the reader, NOT_FOUND when the
  // topic was deleted, DATA_LOSS.
  virtual absl::StatusOr<std::optional<ConsumedBatch>> Poll(absl::Duration timeout) = 0;

  // Makes the Poll under way, or the next one, return at once. From any thread.
  virtual void Interrupt() = 0;

  // The partitions that are read.
  virtual std::vector<int32_t> partitions() const = 0;

  // End of a partition as it was when the consumer was opened: a reader that has all below it has
  // what was there then. Requires: it is read.
  virtual Offset EndAtOpen(int32_t partition) const = 0;

  // Next offset to be delivered of a partition. Requires: it is read.
  virtual Offset Position(int32_t partition) const = 0;
};

}  // namespace bellwether::client

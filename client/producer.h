#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/record/record_batch.h"
#include "client/broker_channel.h"
#include "client/broker_types.h"

namespace bellwether::client {

// What to send, as views that are copied before Send returns.
struct ProducerRecord {
  std::optional<std::string_view> key;    // nullopt: null; such records stick to one partition
                                          // until its batch is full, then to another
  std::optional<std::string_view> value;  // nullopt: null
  std::span<const record::Header> headers;
  std::optional<int32_t> partition;         // else chosen by key (murmur2, as Kafka's clients do)
  int64_t timestamp_ms = record::kNoTimestamp;  // ms since 1970; none: now
};

// Where an acknowledged record is.
struct RecordLocation {
  int32_t partition = 0;
  Offset offset;
  int64_t timestamp_ms = 0;  // of the record; ms since 1970
};

// Sends records to topics in batches, and tells of each record what became of it. A batch that
// was rejected is sent again until its delivery timeout; one whose outcome is unknown is reported
// so and never sent again. Within a partition records keep the order of Send: one batch of a
// partition is under way at a time.
// Thread-safe. Callbacks run on the producer's thread and must not block it. Destruction cancels
// what has no outcome yet and tells so (Flush first); nothing else may be under way then.
// Limits: Options; a full buffer makes Send wait.
class Producer {
 public:
  struct Options {
    std::vector<std::string> addresses;  // "host:port" of brokers, one or more
    record::Compression compression = record::Compression::kNone;
    absl::Duration linger = absl::Milliseconds(5);  // how long a batch waits for company
    size_t batch_bytes_max = size_t{1} << 20;       // of a batch, before compression
    size_t buffer_bytes_max = size_t{32} << 20;     // of all records without an outcome
    absl::Duration metadata_timeout = absl::Seconds(10);  // to learn of a topic
    absl::Duration delivery_timeout = absl::Seconds(10);  // from Send to the outcome
  };

  // OK: durable at its location; else rejected or unknown (base::OutcomeOf).
  using Done = absl::AnyInvocable<void(absl::StatusOr<RecordLocation>)>;

  static std::unique_ptr<Producer> Create(Options options);
  virtual ~Producer() = default;

  // Queues a record; `done` is called exactly once, unless Send fails. Waits for metadata of a
  // topic not used before, and for room in the buffer. Errors (nothing queued): NOT_FOUND for an
  // unknown topic, INVALID_ARGUMENT for a partition it doesn't have or a record too large,
  // UNAVAILABLE when no broker answers.
  virtual absl::Status Send(const std::string& topic, const ProducerRecord& record, Done done) = 0;

  // Sends what lingers and returns when every record has its outcome.
  virtual void Flush() = 0;
};

}  // namespace bellwether::client

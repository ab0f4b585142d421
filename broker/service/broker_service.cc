#include "broker/service/broker_service.h"

#include <utility>

#include "base/record/record_batch.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

// What a batch from a client must be beyond what the log checks (length, counts, CRC).
absl::Status CheckBatch(std::string_view batch, const Leadership& leadership) {
  if (static_cast<int64_t>(batch.size()) > leadership.max_message_bytes()) {
    return base::ErrorWithReason(
        absl::StatusCode::kInvalidArgument, "message_too_large",
        fmt::format("a batch of {} bytes is more than max.message.bytes={} of topic '{}'",
                    batch.size(), leadership.max_message_bytes(), leadership.topic()));
  }
  const auto header = record::ParseBatchHeader(batch);
  if (!header.ok()) {
    return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "corrupt_batch",
                                 fmt::format("not a record batch: {}; send it again",
                                             base::StdView(header.status().message())));
  }
  if (header->is_control() || header->is_transactional()) {
    return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "corrupt_batch",
                                 "control and transactional batches are not taken from clients");
  }
  return absl::OkStatus();
}

// The log's errors in the words of the API.
absl::Status AppendError(const absl::Status& status) {
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) return status;
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInvalidArgument:
      return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "corrupt_batch",
                                   base::StdView(status.message()));
    case absl::StatusCode::kFailedPrecondition:
      return base::ErrorWithReason(absl::StatusCode::kFailedPrecondition, "fenced_leader_epoch",
                                   base::StdView(status.message()));
    case absl::StatusCode::kNotFound:
      return base::ErrorWithReason(absl::StatusCode::kNotFound, "unknown_topic_or_partition",
                                   base::StdView(status.message()));
    default: return status;
  }
}

}  // namespace

BrokerService::BrokerService(const ServiceLimits& limits, LedPartitions& partitions,
                             std::function<bool()> within_deadline, base::Metrics& metrics)
    : limits_(limits), partitions_(partitions), within_deadline_(std::move(within_deadline)),
      batches_counter_(metrics.AddCounter("bell_produce_batches_total", "Batches acknowledged")),
      bytes_counter_(metrics.AddCounter("bell_produce_bytes_total", "Bytes of those batches")),
      refused_counter_(metrics.AddCounter("bell_produce_refused_total", "Batches not taken")),
      in_flight_gauge_(metrics.AddGauge("bell_produce_in_flight_bytes",
                                        "Bytes of batches not yet durable")) {}

void BrokerService::Produce(const PartitionTarget& target, std::string batch, ProduceDone done) {
  const auto refuse = [this, &done](const absl::Status& status) {
    refused_counter_.Add();
    done(status);
  };
  auto leadership = Find(target);
  if (!leadership.ok()) return refuse(leadership.status());
  if (absl::Status status = CheckBatch(batch, **leadership); !status.ok()) return refuse(status);

  const auto bytes = static_cast<int64_t>(batch.size());
  const int64_t in_flight = in_flight_bytes_.fetch_add(bytes) + bytes;
  if (in_flight > static_cast<int64_t>(limits_.produce_bytes_max) && in_flight > bytes) {
    in_flight_bytes_.fetch_sub(bytes);
    return refuse(base::ErrorWithReason(absl::StatusCode::kUnavailable, "queue_full",
                                        "too many batches wait for the disk; try again"));
  }
  in_flight_gauge_.Set(in_flight);
  const LeaderEpoch epoch = (*leadership)->epoch();
  (*leadership)
      ->log()
      .Append(std::move(batch), epoch,
              [this, bytes, epoch,
               done = std::move(done)](absl::StatusOr<AppendResult> result) mutable {
                in_flight_gauge_.Set(in_flight_bytes_.fetch_sub(bytes) - bytes);
                if (!result.ok()) {
                  refused_counter_.Add();
                  return done(AppendError(result.status()));
                }
                batches_counter_.Add();
                bytes_counter_.Add(static_cast<uint64_t>(bytes));
                done(Produced{.base_offset = result->base_offset, .leader_epoch = epoch});
              });
}

absl::StatusOr<ListedOffset> BrokerService::ListOffset(const PartitionTarget& target,
                                                       int64_t timestamp_ms) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Leadership> leadership, Find(target));
  ListedOffset answer;
  answer.log = leadership->log().offsets();
  if (timestamp_ms == kEarliestTimestamp) {
    answer.offset = answer.log.log_start;
    return answer;
  }
  if (timestamp_ms == kLatestTimestamp) {
    if (!within_deadline_()) {
      return base::ErrorWithReason(
          absl::StatusCode::kUnavailable, "session_deadline",
          "this broker has lost touch with coord and can't say what is newest; check coord and try "
          "again");
    }
    answer.offset = answer.log.high_watermark;
    return answer;
  }
  if (timestamp_ms < 0) {
    return absl::InvalidArgumentError(fmt::format("{} is not a timestamp", timestamp_ms));
  }
  ASSIGN_OR_RETURN(const auto found, leadership->log().OffsetForTimestamp(timestamp_ms));
  answer.offset = found ? found->offset : answer.log.high_watermark;
  answer.timestamp_ms = found ? found->timestamp_ms : -1;
  return answer;
}

}  // namespace bellwether::broker

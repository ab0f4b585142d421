#include "client/producer_batches.h"

#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace bellwether::client {

absl::Status PartitionBatches::Append(const record::Record& record, size_t buffered_bytes,
                                      absl::Duration now, Producer::Done& done) {
  absl::Status status = builder_.Append(record);
  if (absl::IsResourceExhausted(status) && !builder_.empty()) {
    RETURN_IF_ERROR(FinishOpen());
    status = builder_.Append(record);
  }
  RETURN_IF_ERROR(status);
  if (open_.records.empty()) open_.deadline = now + delivery_timeout_;
  open_.records.push_back({std::move(done), record.timestamp_ms});
  open_.buffered_bytes += buffered_bytes;
  return absl::OkStatus();
}

absl::Status PartitionBatches::FinishOpen() {
  if (builder_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(open_.bytes, builder_.Finish());
  waiting_.push_back(std::exchange(open_, ProducerBatch()));
  return absl::OkStatus();
}

ProducerBatch PartitionBatches::TakeFirst() {
  ProducerBatch batch = std::move(waiting_.front());
  waiting_.pop_front();
  return batch;
}

std::vector<ProducerBatch> PartitionBatches::TakeAll() {
  CHECK(FinishOpen().ok());
  std::vector<ProducerBatch> all;
  for (ProducerBatch& batch : waiting_) all.push_back(std::move(batch));
  waiting_.clear();
  return all;
}

}  // namespace bellwether::client

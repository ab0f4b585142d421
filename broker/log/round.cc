#include "broker/log/round.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace bellwether::broker {

Round::Round(Database& database, SliceChains& chains, LogMetrics& metrics,
             size_t index_interval_bytes, int64_t now_ms)
    : database_(database),
      chains_(chains),
      metrics_(metrics),
      index_interval_bytes_(index_interval_bytes),
      now_ms_(now_ms) {}

Round::PartitionRound& Round::RoundOf(const std::shared_ptr<StoredPartition>& partition) {
  const auto [entry, is_new] = partition_index_.try_emplace(partition.get(), partitions_.size());
  if (is_new) {
    PartitionRound& round = partitions_.emplace_back();
    round.partition = partition;
    StoredPartition::Planned& planned = partition->planned();
    SliceRef slice = SliceFor(*partition, planned);
    if (slice != planned.slice) StartEntry(round, std::move(slice));
  }
  return partitions_[entry->second];
}

SliceRef Round::SliceFor(const StoredPartition& partition,
                         const StoredPartition::Planned& planned) {
  const int retention_class = RetentionClassOf(partition.config().retention_ms);
  SliceRef& slice = slices_[static_cast<size_t>(retention_class)];
  if (slice == nullptr) {
    slice = chains_.ForAppend(retention_class, now_ms_);
    if (slice->opened_ms == 0) {
      slice->opened_ms = now_ms_;
      batch_.Put(database_.metadata(), SliceKey(slice->id), EncodeSlice(slice->Record()));
    }
  }
  // Moved to another class and back: an entry is contiguous, so the log stays where it is until
  // the class has a new slice.
  if (planned.slice != nullptr && partition.HasOlderEntryIn(*slice)) return planned.slice;
  return slice;
}

void Round::StartEntry(PartitionRound& round, SliceRef slice) {
  StoredPartition::Planned& planned = round.partition->planned();
  ++slice->live_entries;
  planned.slice = std::move(slice);
  planned.stats = EntryStats();
  planned.stats.first_offset = planned.next_offset;
  planned.last_point_bytes = 0;
  round.update.is_new_entry = true;
}

void Round::AddToEntry(PartitionRound& round, const record::BatchHeader& header,
                       Offset base_offset) {
  StoredPartition::Planned& planned = round.partition->planned();
  EntryStats& stats = planned.stats;
  if (stats.bytes - planned.last_point_bytes >= index_interval_bytes_) {
    const IndexPoint point{base_offset, stats.max_timestamp_ms, stats.bytes};
    planned.last_point_bytes = stats.bytes;
    round.update.entry.points.push_back(point);
    batch_.Put(database_.directory(),
               PointKey(round.partition->uid(), planned.slice->id, point.offset),
               EncodePoint(point));
  }
  const int64_t timestamp_ms =
      header.max_timestamp_ms == record::kNoTimestamp ? now_ms_ : header.max_timestamp_ms;
  stats.last_offset = base_offset + header.last_offset_delta;
  stats.bytes += header.size_bytes;
  stats.max_timestamp_ms = std::max(stats.max_timestamp_ms, timestamp_ms);
  planned.slice->bytes += header.size_bytes;
  planned.next_offset = stats.last_offset + 1;
}

void Round::Add(AppendRequest request) {
  StoredPartition& partition = *request.partition;
  StoredPartition::Planned& planned = partition.planned();
  if (partition.deleted()) {
    appends_.push_back({std::move(request.done),
                        absl::NotFoundError(fmt::format("partition {} was deleted",
                                                        partition.id().ToString()))});
    return;
  }
  if (planned.last_epoch && request.epoch < *planned.last_epoch) {
    appends_.push_back({std::move(request.done),
                        absl::FailedPreconditionError(fmt::format(
                            "partition {} has leader epoch {}, the append came with {}",
                            partition.id().ToString(), *planned.last_epoch, request.epoch))});
    return;
  }
  PartitionRound& round = RoundOf(request.partition);
  const Offset base_offset = planned.next_offset;
  if (planned.last_epoch != request.epoch) {
    const EpochStart start{request.epoch, base_offset};
    planned.last_epoch = request.epoch;
    round.update.new_epochs.push_back(start);
    batch_.Put(database_.metadata(), EpochKey(partition.uid(), request.epoch),
               EncodeEpoch({partition.uid(), start}));
  }
  record::PatchBatch(request.batch, base_offset.value(), request.epoch.value());
  batch_.Put(planned.slice->family(), BatchKey(partition.uid(), base_offset), request.batch);
  AddToEntry(round, request.header, base_offset);
  const Offset last_offset = planned.stats.last_offset;
  round.update.batches.push_back(
      {base_offset, last_offset, std::make_shared<const std::string>(std::move(request.batch))});
  appends_.push_back({std::move(request.done),
                      AppendResult{.base_offset = base_offset,
                                   .last_offset = last_offset,
                                   .log_start_offset = partition.offsets().log_start}});
  records_ += static_cast<uint64_t>(request.header.record_count);
  bytes_ += request.header.size_bytes;
}

absl::Status Round::Write() {
  if (partitions_.empty()) return absl::OkStatus();
  for (PartitionRound& round : partitions_) {
    const StoredPartition::Planned& planned = round.partition->planned();
    const PartitionUid uid = round.partition->uid();
    round.update.entry.slice = planned.slice;
    round.update.entry.stats = planned.stats;
    batch_.Put(database_.directory(), EntryKey(uid, planned.slice->id),
               EncodeEntry(planned.stats));
    batch_.Put(database_.metadata(), LogKey(uid),
               EncodeLog({.uid = uid,
                          .log_start = round.partition->offsets().log_start,
                          .log_end = planned.next_offset}));
  }
  const absl::Status status = database_.Write(batch_);
  if (status.ok()) return status;
  for (PlannedAppend& append : appends_) {
    if (append.result.ok()) {
      append.result = base::UnknownOutcome(status.code(), base::StdView(status.message()));
    }
  }
  return status;
}

std::vector<absl::AnyInvocable<void()>> Round::Publish(TailPool& tail_pool) {
  std::vector<absl::AnyInvocable<void()>> wakes;
  for (const PartitionRound& round : partitions_) {
    metrics_.appended_batches.Add(round.update.batches.size());
  }
  metrics_.appended_records.Add(records_);
  metrics_.appended_bytes.Add(bytes_);
  for (PartitionRound& round : partitions_) {
    round.partition->Publish(std::move(round.update), tail_pool, wakes);
  }
  return wakes;
}

void Round::Answer() {
  for (PlannedAppend& append : appends_) append.done(std::move(append.result));
  appends_.clear();
}

}  // namespace bellwether::broker

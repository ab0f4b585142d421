#include "broker/log/stored_partition.h"

#include <algorithm>

#include "base/status.h"

namespace bellwether::broker {

StoredPartition::StoredPartition(State state, const Database& database, LogMetrics& metrics,
                                 AppendQueue& queue, size_t batch_bytes_max)
    : id_(state.record.id),
      uid_(state.record.uid),
      batch_bytes_max_(batch_bytes_max),
      reader_(database, uid_, id_.ToString()),
      metrics_(metrics),
      queue_(queue),
      config_(state.record.config),
      log_start_(state.log_start),
      log_end_(state.log_end),
      epochs_(std::move(state.epochs)),
      directory_(std::move(state.directory)) {
  planned_.next_offset = state.log_end;
  if (!epochs_.empty()) planned_.last_epoch = epochs_.back().epoch;
  if (directory_.entries().empty()) return;
  const DirectoryEntry& last = directory_.entries().back();
  planned_.slice = last.slice;
  planned_.stats = last.stats;
  if (!last.points.empty()) planned_.last_point_bytes = last.points.back().bytes_before;
}

PartitionConfig StoredPartition::config() const {
  base::MutexLock lock(mutex_);
  return config_;
}

LogOffsets StoredPartition::offsets() const {
  base::MutexLock lock(mutex_);
  return OffsetsLocked();
}

uint64_t StoredPartition::size_bytes() const {
  base::MutexLock lock(mutex_);
  return directory_.BytesFrom(log_start_);
}

std::vector<EpochStart> StoredPartition::epochs() const {
  base::MutexLock lock(mutex_);
  return epochs_;
}

void StoredPartition::Append(std::string batch, LeaderEpoch epoch, AppendCallback done) {
  absl::StatusOr<record::BatchHeader> header = record::ValidateBatch(batch, batch_bytes_max_);
  if (!header.ok()) {
    metrics_.rejected_invalid.Add();
    done(header.status());
    return;
  }
  queue_.Enqueue({.partition = shared_from_this(),
                  .batch = std::move(batch),
                  .header = *header,
                  .epoch = epoch,
                  .done = std::move(done)});
}

absl::Status StoredPartition::CheckReadable(Offset offset) const {
  if (deleted_) {
    return absl::NotFoundError(fmt::format("partition {} was deleted", id_.ToString()));
  }
  if (offset < log_start_ || offset > log_end_) {
    return absl::OutOfRangeError(fmt::format("offset {} is not within {} and {} of partition {}",
                                             offset, log_start_, log_end_, id_.ToString()));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> StoredPartition::Read(Offset offset, size_t bytes_max) const {
  ReadResult result;
  std::vector<SliceRange> ranges;
  {
    base::MutexLock lock(mutex_);
    RETURN_IF_ERROR(CheckReadable(offset));
    result.offsets = OffsetsLocked();
    if (offset == log_end_ && stopped_) return absl::UnavailableError("the log is stopping");
    if (offset == log_end_) return result;
    if (!tail_.empty() && tail_.front().base_offset <= offset) {
      result.batches = ReadTail(offset, bytes_max);
      metrics_.tail_reads.Add();
      return result;
    }
    ranges = directory_.RangesFrom(offset, bytes_max);
  }
  metrics_.catch_up_reads.Add();
  ASSIGN_OR_RETURN(result.batches, reader_.Read(ranges, bytes_max));
  return result;
}

std::vector<BatchRef> StoredPartition::ReadTail(Offset offset, size_t bytes_max) const {
  std::vector<BatchRef> batches;
  size_t bytes = 0;
  auto batch = std::partition_point(
      tail_.begin(), tail_.end(),
      [&](const TailBatch& candidate) { return candidate.last_offset < offset; });
  for (; batch != tail_.end(); ++batch) {
    bytes += batch->batch->size();
    if (!batches.empty() && bytes > bytes_max) break;
    batches.push_back(batch->batch);
  }
  return batches;
}

absl::StatusOr<std::optional<OffsetAndTimestamp>> StoredPartition::OffsetForTimestamp(
    int64_t timestamp_ms) const {
  std::vector<SliceRange> ranges;
  {
    base::MutexLock lock(mutex_);
    RETURN_IF_ERROR(CheckReadable(log_start_));
    ranges = directory_.RangesForTimestamp(timestamp_ms, log_start_);
  }
  return reader_.Find(ranges, timestamp_ms);
}

PartitionLog::WaitId StoredPartition::NotifyWhenAbove(Offset offset,
                                                      absl::AnyInvocable<void()> wake) {
  {
    base::MutexLock lock(mutex_);
    if (!deleted_ && !stopped_ && log_end_ <= offset) {
      const WaitId wait = ++last_wait_;
      waits_.emplace(WaitKey{offset, wait}, std::move(wake));
      wait_offsets_.emplace(wait, offset);
      return wait;
    }
  }
  wake();
  return 0;
}

bool StoredPartition::CancelNotify(WaitId wait) {
  absl::AnyInvocable<void()> wake;  // destroyed outside the lock
  base::MutexLock lock(mutex_);
  const auto offset = wait_offsets_.find(wait);
  if (offset == wait_offsets_.end()) return false;
  const auto entry = waits_.find(WaitKey{offset->second, wait});
  wake = std::move(entry->second);
  waits_.erase(entry);
  wait_offsets_.erase(offset);
  return true;
}

bool StoredPartition::deleted() const {
  base::MutexLock lock(mutex_);
  return deleted_;
}

bool StoredPartition::HasOlderEntryIn(const Slice& slice) const {
  base::MutexLock lock(mutex_);
  return directory_.Holds(slice) && directory_.entries().back().slice.get() != &slice;
}

void StoredPartition::Publish(PartitionUpdate update, TailPool& tail_pool,
                              std::vector<absl::AnyInvocable<void()>>& wakes) {
  {
    base::MutexLock lock(mutex_);
    log_end_ = update.entry.stats.last_offset + 1;
    epochs_.insert(epochs_.end(), update.new_epochs.begin(), update.new_epochs.end());
    if (update.is_new_entry) {
      directory_.AddEntry(std::move(update.entry));
    } else {
      directory_.ExtendLast(update.entry.stats, update.entry.points);
    }
    tail_.insert(tail_.end(), update.batches.begin(), update.batches.end());
    while (!waits_.empty() && waits_.begin()->first.first < log_end_) {
      wakes.push_back(std::move(waits_.begin()->second));
      wait_offsets_.erase(waits_.begin()->first.second);
      waits_.erase(waits_.begin());
    }
  }
  for (const TailBatch& batch : update.batches) tail_pool.Added(shared_from_this(), batch);
}

void StoredPartition::SetConfig(const PartitionConfig& config) {
  base::MutexLock lock(mutex_);
  config_ = config;
}

Offset StoredPartition::RetentionStart(int64_t now_ms) const {
  base::MutexLock lock(mutex_);
  return directory_.RetentionStart(config_, log_start_, now_ms);
}

std::vector<DirectoryEntry> StoredPartition::EntriesBelow(Offset log_start) const {
  base::MutexLock lock(mutex_);
  std::vector<DirectoryEntry> below;
  for (const DirectoryEntry& entry : directory_.entries()) {
    if (entry.stats.last_offset >= log_start) break;
    below.push_back(entry);
  }
  return below;
}

size_t StoredPartition::CountEpochsBelow(Offset log_start) const {
  size_t count = 0;
  while (count + 1 < epochs_.size() && epochs_[count + 1].start_offset <= log_start) ++count;
  return count;
}

std::vector<LeaderEpoch> StoredPartition::EpochsBelow(Offset log_start) const {
  base::MutexLock lock(mutex_);
  std::vector<LeaderEpoch> below;
  const size_t count = CountEpochsBelow(log_start);
  for (size_t i = 0; i < count; ++i) below.push_back(epochs_[i].epoch);
  return below;
}

void StoredPartition::AdvanceLogStart(Offset log_start) {
  std::vector<DirectoryEntry> removed;  // destroyed outside the lock: the last users of slices
  base::MutexLock lock(mutex_);
  log_start_ = log_start;
  removed = directory_.RemoveBelow(log_start);
  if (directory_.entries().empty()) planned_.slice = nullptr;
  const auto count = static_cast<std::ptrdiff_t>(CountEpochsBelow(log_start));
  epochs_.erase(epochs_.begin(), epochs_.begin() + count);
}

std::vector<absl::AnyInvocable<void()>> StoredPartition::MarkDeleted() {
  Directory directory;  // destroyed outside the lock
  {
    base::MutexLock lock(mutex_);
    deleted_ = true;
    planned_.slice = nullptr;
    std::swap(directory, directory_);
    tail_.clear();
  }
  return TakeWaits();
}

std::vector<absl::AnyInvocable<void()>> StoredPartition::TakeWaits() {
  std::vector<absl::AnyInvocable<void()>> taken;
  base::MutexLock lock(mutex_);
  stopped_ = true;
  for (auto& [key, wake] : waits_) taken.push_back(std::move(wake));
  waits_.clear();
  wait_offsets_.clear();
  return taken;
}

void StoredPartition::DropOldestOfTail(Offset base_offset) {
  BatchRef dropped;  // freed outside the lock
  base::MutexLock lock(mutex_);
  if (tail_.empty() || tail_.front().base_offset != base_offset) return;
  dropped = std::move(tail_.front().batch);
  tail_.pop_front();
}

}  // namespace bellwether::broker

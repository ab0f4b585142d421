#include "broker/log/slice_chains.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"

namespace bellwether::broker {
namespace {

// After a slice could not be made.
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

}  // namespace

SliceChains::SliceChains(Options options, std::shared_ptr<Database> database, LogMetrics& metrics,
                         base::Executor& maker)
    : options_(std::move(options)),
      database_(std::move(database)),
      metrics_(metrics),
      maker_(maker) {}

void SliceChains::Restore(std::vector<SliceRef> slices) {
  base::MutexLock lock(mutex_);
  for (SliceRef& slice : slices) {
    Chain& chain = chains_[static_cast<size_t>(slice->retention_class)];
    last_id_ = std::max(last_id_, slice->id);
    if (slice->opened_ms != 0 || chain.slices.empty()) {
      chain.slices.push_back(std::move(slice));
    } else {
      chain.next = std::move(slice);
    }
  }
  metrics_.slices.Set(CountLocked());
}

absl::Status SliceChains::EnsureClass(int retention_class) {
  base::MutexLock making(making_mutex_);
  {
    base::MutexLock lock(mutex_);
    if (!chains_[static_cast<size_t>(retention_class)].slices.empty()) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(SliceRef slice, Make(retention_class));
  base::MutexLock lock(mutex_);
  chains_[static_cast<size_t>(retention_class)].slices.push_back(std::move(slice));
  metrics_.slices.Set(CountLocked());
  return absl::OkStatus();
}

SliceRef SliceChains::ForAppend(int retention_class, int64_t now_ms) {
  base::MutexLock lock(mutex_);
  Chain& chain = chains_[static_cast<size_t>(retention_class)];
  CHECK(!chain.slices.empty());
  if (!TryRoll(chain, now_ms) && Overdue(*chain.slices.back(), now_ms)) metrics_.slices_late.Add();
  MakeNextLater(retention_class);
  return chain.slices.back();
}

std::vector<SliceRef> SliceChains::TakeDead(int64_t now_ms) {
  std::vector<SliceRef> dead;
  base::MutexLock lock(mutex_);
  for (int retention_class = 0; retention_class < kRetentionClasses; ++retention_class) {
    Chain& chain = chains_[static_cast<size_t>(retention_class)];
    if (!chain.slices.empty() && chain.slices.back()->live_entries == 0) TryRoll(chain, now_ms);
    std::deque<SliceRef> kept;
    for (SliceRef& slice : chain.slices) {
      const bool takes_appends = slice == chain.slices.back();
      if (slice->live_entries > 0 || takes_appends) {
        kept.push_back(slice);
      } else {
        dead.push_back(slice);
      }
    }
    chain.slices = std::move(kept);
    if (!chain.slices.empty()) MakeNextLater(retention_class);
  }
  metrics_.slices.Set(CountLocked());
  return dead;
}

int SliceChains::count() const {
  base::MutexLock lock(mutex_);
  return CountLocked();
}

int SliceChains::CountLocked() const {
  size_t count = 0;
  for (const Chain& chain : chains_) {
    count += chain.slices.size() + (chain.next != nullptr ? 1 : 0);
  }
  return static_cast<int>(count);
}

bool SliceChains::Overdue(const Slice& slice, int64_t now_ms) const {
  if (slice.opened_ms == 0) return false;
  return slice.bytes >= options_.slice_bytes_max ||
         absl::Milliseconds(now_ms - slice.opened_ms) >=
             options_.slice_duration(slice.retention_class);
}

bool SliceChains::TryRoll(Chain& chain, int64_t now_ms) {
  if (chain.next == nullptr || !Overdue(*chain.slices.back(), now_ms)) return false;
  maker_.Post([database = database_, closed = chain.slices.back()] {
    const absl::Status status = database->Flush(closed->family());
    if (!status.ok()) LOG_WARN("cannot flush closed slice slice={} error={}", closed->id, status);
  });
  chain.slices.push_back(std::move(chain.next));
  chain.next = nullptr;
  return true;
}

void SliceChains::MakeNextLater(int retention_class) {
  Chain& chain = chains_[static_cast<size_t>(retention_class)];
  if (chain.next != nullptr || chain.making || chain.slices.size() >= kSlicesMax) return;
  chain.making = true;
  maker_.Post([this, retention_class] { MakeNext(retention_class); });
}

void SliceChains::MakeNext(int retention_class) {
  base::MutexLock making(making_mutex_);
  absl::StatusOr<SliceRef> slice = Make(retention_class);
  if (!slice.ok()) {
    LOG_WARN("cannot make a slice ahead class={} error={}", retention_class, slice.status());
    maker_.RunAfter(kRetryDelay, [this, retention_class] { MakeNext(retention_class); });
    return;
  }
  base::MutexLock lock(mutex_);
  Chain& chain = chains_[static_cast<size_t>(retention_class)];
  chain.next = *std::move(slice);
  chain.making = false;
  metrics_.slices.Set(CountLocked());
}

absl::StatusOr<SliceRef> SliceChains::Make(int retention_class) {
  SliceRecord record;
  record.retention_class = retention_class;
  record.created_ms = options_.clock->WallMillis();
  {
    base::MutexLock lock(mutex_);
    record.id = ++last_id_;
  }
  ASSIGN_OR_RETURN(rocksdb::ColumnFamilyHandle * family, database_->CreateSliceFamily(record.id));
  auto slice = std::make_shared<Slice>(record, database_, family);
  // Only now does the slice count: a family without a record is dropped when opening.
  rocksdb::WriteBatch batch;
  batch.Put(database_->metadata(), SliceKey(record.id), EncodeSlice(record));
  RETURN_IF_ERROR(database_->Write(batch));
  return slice;
}

}  // namespace bellwether::broker

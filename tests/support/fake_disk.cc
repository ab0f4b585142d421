#include "tests/support/fake_disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace bellwether::coord::raft {

absl::StatusOr<Term> FakeDisk::TermAt(LogIndex index) {
  if (fails) return absl::DataLossError("the disk is broken");
  return log_.at(index - first_)->term;
}

std::vector<EntryPtr> FakeDisk::MembershipEntries() {
  std::vector<EntryPtr> found;
  for (const EntryPtr& entry : log_) {
    if (entry->type == EntryType::kMembership) found.push_back(entry);
  }
  return found;
}

EntryPtr FakeDisk::EntryAt(LogIndex index) const {
  return index < first_ || index > LastIndex() ? nullptr : log_[index - first_];
}

absl::StatusOr<std::vector<EntryPtr>> FakeDisk::Read(LogIndex begin, LogIndex end,
                                                     size_t bytes_max) {
  if (fails) return absl::DataLossError("the disk is broken");
  CHECK(first_ <= begin && begin < end && end <= LastIndex() + 1);
  std::vector<EntryPtr> entries;
  size_t bytes = 0;
  for (LogIndex index = begin; index < end; ++index) {
    const EntryPtr& entry = log_.at(index - first_);
    bytes += EntryBytes(*entry);
    if (bytes > bytes_max && !entries.empty()) break;
    entries.push_back(entry);
  }
  return entries;
}

FakeDisk::Write FakeDisk::Sync() {
  Write write = std::move(pending_.front());
  pending_.pop_front();
  if (write.reset_to != LogIndex(0)) ResetLog(write.reset_to);
  if (write.truncate_from != LogIndex(0)) {
    CHECK(first_ <= write.truncate_from && write.truncate_from <= LastIndex());
    log_.resize(write.truncate_from - first_);
  }
  for (const EntryPtr& entry : write.entries) {
    CHECK(entry->index == LastIndex() + 1);
    log_.push_back(entry);
  }
  while (first_ <= write.compact_to && !log_.empty()) {
    log_.erase(log_.begin());
    ++first_;
  }
  if (write.hard_state.has_value()) hard_state = *write.hard_state;
  return write;
}

void FakeDisk::ResetLog(LogIndex index) {
  log_.clear();
  first_ = index + 1;
}

void FakeDisk::AddSnapshot(const SnapshotMeta& snapshot) {
  CHECK(snapshot.index > this->snapshot().index);
  snapshots_.push_back(snapshot);
  if (snapshots_.size() > 2) snapshots_.pop_front();
}

bool FakeDisk::HasSnapshot(const SnapshotMeta& snapshot) const {
  return std::find(snapshots_.begin(), snapshots_.end(), snapshot) != snapshots_.end();
}

SnapshotMeta FakeDisk::snapshot() const {
  return snapshots_.empty() ? SnapshotMeta() : snapshots_.back();
}

void FakeDisk::ResetLogBehindSnapshot() {
  const SnapshotMeta newest = snapshot();
  if (newest.index + 1 == first_) return;
  const EntryPtr last_covered = EntryAt(newest.index);
  const bool continues = newest.index == LogIndex(0) ||
                         (last_covered != nullptr && last_covered->term == newest.term);
  if (!continues) ResetLog(newest.index);
}

void FakeDisk::Wipe() {
  ResetLog(LogIndex(0));
  snapshots_.clear();
  pending_.clear();
  hard_state = HardState{Term(0), ServerId(0), Standing::kAwaitingReadmission};
  folder_id = base::Uuid(folder_id.high(), folder_id.low() + 1);
}

}  // namespace bellwether::coord::raft

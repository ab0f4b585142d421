#include "coord/storage/entry_cache.h"

#include <utility>

#include "base/check.h"

namespace bellwether::coord {

void EntryCache::Append(raft::EntryPtr entry) {
  CHECK(entries_.empty() || entries_.back()->index + 1 == entry->index);
  bytes_ += raft::EntryBytes(*entry);
  entries_.push_back(std::move(entry));
}

void EntryCache::TruncateFrom(raft::LogIndex index) {
  while (!entries_.empty() && entries_.back()->index >= index) {
    bytes_ -= raft::EntryBytes(*entries_.back());
    entries_.pop_back();
  }
}

void EntryCache::CompactTo(raft::LogIndex index) {
  while (!entries_.empty() && entries_.front()->index <= index) PopFront();
}

void EntryCache::Clear() {
  entries_.clear();
  bytes_ = 0;
}

void EntryCache::PopFront() {
  bytes_ -= raft::EntryBytes(*entries_.front());
  entries_.pop_front();
}

void EntryCache::Evict(raft::LogIndex durable) {
  while (bytes_ > bytes_max_ && !entries_.empty() && entries_.front()->index <= durable) PopFront();
}

raft::EntryPtr EntryCache::Find(raft::LogIndex index) const {
  if (entries_.empty() || index < first_index() || index > entries_.back()->index) return nullptr;
  return entries_[index - first_index()];
}

}  // namespace bellwether::coord

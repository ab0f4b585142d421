#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "coord/raft/types.h"

namespace bellwether::coord {

// The newest entries of the log in memory, so that the core and the applier seldom read the disk.
// Owned by the log store, used on the replica's executor only.
//
// Invariants:
// - contiguous; an entry that is not here is durable
// - bytes() is above the bound only by entries that are not yet durable
class EntryCache {
 public:
  explicit EntryCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Requires: the index follows the last one, unless the cache is empty.
  void Append(raft::EntryPtr entry);
  // Removes everything from `index` on.
  void TruncateFrom(raft::LogIndex index);
  // Removes everything up to `index`.
  void CompactTo(raft::LogIndex index);
  // Removes everything, so that any entry may come next.
  void Clear();
  // Evicts the oldest entries while over the bound, up to `durable`.
  void Evict(raft::LogIndex durable);

  // Null when it is not here.
  raft::EntryPtr Find(raft::LogIndex index) const;
  // Index of the oldest one; Requires: not empty.
  raft::LogIndex first_index() const { return entries_.front()->index; }
  bool empty() const { return entries_.empty(); }
  size_t bytes() const { return bytes_; }

 private:
  void PopFront();

  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::deque<raft::EntryPtr> entries_;
};

}  // namespace bellwether::coord

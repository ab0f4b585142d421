#pragma once

#include <cstddef>
#include <deque>

#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// Bytes handed somewhere and not yet acknowledged, in batches that end at rising indexes: appends
// on their way to a follower, proposals not yet committed, commands not yet applied.
class ByteWindow {
 public:
  // Requires: last is above every batch inside.
  void Add(LogIndex last, size_t bytes);
  // Everything up to and including `index` is acknowledged.
  void ReleaseThrough(LogIndex index);
  void Clear();

  size_t count() const { return batches_.size(); }
  size_t bytes() const { return bytes_; }
  bool empty() const { return batches_.empty(); }

 private:
  struct Batch {
    LogIndex last;
    size_t bytes;
  };
  std::deque<Batch> batches_;
  size_t bytes_ = 0;
};

}  // namespace bellwether::coord::raft

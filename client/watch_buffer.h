#pragma once

#include <cstddef>
#include <deque>

#include "client/coord_types.h"

namespace bellwether::client {

// The batches of a watch that nobody has read yet. Pure; not thread-safe. It takes whatever comes,
// and says when nothing more should: so that beyond its bounds it holds one batch at most.
class WatchBuffer {
 public:
  static constexpr size_t kBatchesMax = 256;
  static constexpr size_t kBytesMax = size_t{16} << 20;

  bool empty() const { return batches_.empty(); }

  // True when it is full: nothing more should come until TakeResume() says so.
  bool Push(WatchBatch batch);

  // The oldest one. Requires: !empty().
  WatchBatch Pop();

  // True, once, when it had been full and everything has been read.
  bool TakeResume();

 private:
  struct Held {
    WatchBatch batch;
    size_t bytes;  // of memory
  };

  std::deque<Held> batches_;
  size_t bytes_ = 0;
  bool was_full_ = false;
};

}  // namespace bellwether::client

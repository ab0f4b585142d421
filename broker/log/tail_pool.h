#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "base/metrics.h"
#include "broker/log/log.h"

namespace bellwether::broker {

// A batch of a partition's tail.
struct TailBatch {
  Offset base_offset;
  Offset last_offset;
  BatchRef batch;
};

class StoredPartition;

// Keeps the most recent batches of all partitions within one budget: one row in order of append,
// whose oldest leave first. Since a partition's batches are in the same order there, the oldest of
// the row is always the oldest of its partition's tail. Owned by the committer's thread.
class TailPool {
 public:
  TailPool(size_t bytes_max, base::Gauge& bytes_metric)
      : bytes_max_(bytes_max), bytes_metric_(bytes_metric) {}

  // Accounts for a batch that was just added to the partition's tail, and makes the oldest leave.
  void Added(const std::shared_ptr<StoredPartition>& partition, const TailBatch& batch);

 private:
  struct Place {
    std::weak_ptr<StoredPartition> partition;  // may have been deleted, its tail with it
    Offset base_offset;
    size_t bytes = 0;
  };

  const size_t bytes_max_;
  base::Gauge& bytes_metric_;
  size_t bytes_ = 0;
  std::deque<Place> places_;
};

}  // namespace bellwether::broker

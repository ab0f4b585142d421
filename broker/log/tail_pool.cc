#include "broker/log/tail_pool.h"

#include "broker/log/stored_partition.h"

namespace bellwether::broker {
namespace {

// What a batch costs beyond its bytes: string, control block, places in two queues.
constexpr size_t kOverheadBytes = 128;

}  // namespace

void TailPool::Added(const std::shared_ptr<StoredPartition>& partition, const TailBatch& batch) {
  places_.push_back({partition, batch.base_offset, batch.batch->size() + kOverheadBytes});
  bytes_ += places_.back().bytes;
  while (bytes_ > bytes_max_) {
    if (const auto oldest = places_.front().partition.lock()) {
      oldest->DropOldestOfTail(places_.front().base_offset);
    }
    bytes_ -= places_.front().bytes;
    places_.pop_front();
  }
  bytes_metric_.Set(static_cast<int64_t>(bytes_));
}

}  // namespace bellwether::broker

#include "client/watch_buffer.h"

#include <utility>

namespace bellwether::client {
namespace {

size_t BytesOf(const WatchBatch& batch) {
  size_t bytes = sizeof(WatchBatch);
  for (const WatchChange& change : batch.changes) {
    bytes += sizeof(WatchChange) + change.path.size() + (change.data ? change.data->size() : 0);
  }
  return bytes;
}

}  // namespace

bool WatchBuffer::Push(WatchBatch batch) {
  const size_t bytes = BytesOf(batch);
  bytes_ += bytes;
  batches_.push_back({std::move(batch), bytes});
  if (batches_.size() >= kBatchesMax || bytes_ >= kBytesMax) was_full_ = true;
  return was_full_;
}

WatchBatch WatchBuffer::Pop() {
  Held first = std::move(batches_.front());
  batches_.pop_front();
  bytes_ -= first.bytes;
  return std::move(first.batch);
}

bool WatchBuffer::TakeResume() { return batches_.empty() && std::exchange(was_full_, false); }

}  // namespace bellwether::client

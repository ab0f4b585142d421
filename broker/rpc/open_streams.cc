#include "broker/rpc/open_streams.h"

#include <utility>

namespace bellwether::broker {

bool OpenStreams::Add(std::shared_ptr<Drainable> stream) {
  base::MutexLock lock(mutex_);
  if (draining_ || streams_.size() >= streams_max_) return false;
  streams_.insert(std::move(stream));
  gauge_.Set(static_cast<int64_t>(streams_.size()));
  return true;
}

void OpenStreams::Remove(const std::shared_ptr<Drainable>& stream) {
  base::MutexLock lock(mutex_);
  streams_.erase(stream);
  gauge_.Set(static_cast<int64_t>(streams_.size()));
}

void OpenStreams::DrainAll() {
  std::vector<std::shared_ptr<Drainable>> streams;
  {
    base::MutexLock lock(mutex_);
    draining_ = true;
    streams.assign(streams_.begin(), streams_.end());
  }
  for (const auto& stream : streams) stream->Drain();
}

}  // namespace bellwether::broker

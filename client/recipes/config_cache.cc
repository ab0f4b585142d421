#include "client/recipes/config_cache.h"

#include <utility>

namespace bellwether::client {

ConfigCache::ConfigCache(CoordClient& client, std::string path, Callbacks callbacks)
    : callbacks_(std::move(callbacks)) {
  WatchOptions options;
  options.recursive = true;
  WatchCallbacks watch_callbacks;
  watch_callbacks.on_batch = [this](WatchBatch batch) { OnBatch(batch); };
  watch_callbacks.on_end = [this](absl::Status status) { callbacks_.on_end(status); };
  watch_ = client.Watch(std::move(path), options, std::move(watch_callbacks));
}

Data ConfigCache::Get(const std::string& path) const {
  base::MutexLock lock(mutex_);
  const auto found = values_.find(path);
  return found == values_.end() ? std::nullopt : found->second;
}

void ConfigCache::OnBatch(const WatchBatch& batch) {
  for (const WatchChange& change : batch.changes) {
    base::MutexLock lock(mutex_);
    if (change.type == WatchEventType::kDeleted) {
      values_.erase(change.path);
    } else {
      values_[change.path] = change.data;
    }
  }
  if (ready_) {
    for (const WatchChange& change : batch.changes) callbacks_.on_change(change.path, change.data);
  } else if (batch.complete) {
    ready_ = true;
    callbacks_.on_ready();
  }
}

}  // namespace bellwether::client

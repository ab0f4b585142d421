#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "client/coord_client.h"

namespace bellwether::client {

// A copy in memory of all znodes at and below one path, kept up to date by one resumable watch, so
// that reading a setting costs nothing and works while coord can't be reached (then with the last
// known values). Get is thread-safe; the rest belongs to the client's executor. Must not outlive the
// client. Memory: paths and data of the whole subtree.
class ConfigCache {
 public:
  struct Callbacks {
    // All znodes were read once: Get tells the truth from now on.
    absl::AnyInvocable<void()> on_ready;
    // After a change took effect in the cache; nullopt: deleted, or null data.
    absl::AnyInvocable<void(const std::string& path, const Data& data)> on_change;
    // The watch can't go on; the last callback.
    absl::AnyInvocable<void(const absl::Status&)> on_end;
  };

  ConfigCache(CoordClient& client, std::string path, Callbacks callbacks);

  // The data of a znode; nullopt when there is none, or it is null. Full path. Thread-safe.
  Data Get(const std::string& path) const;

 private:
  void OnBatch(const WatchBatch& batch);

  Callbacks callbacks_;
  bool ready_ = false;
  mutable base::Mutex mutex_;
  std::map<std::string, Data> values_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<CoordWatch> watch_;
};

}  // namespace bellwether::client

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/service/wakeable.h"

namespace bellwether::coord {

// Who has one-shot watches: gets an event when one fires.
class OneShotWatcher : public virtual Wakeable {
 public:
  // Called with the tree held exclusively: queues the event, calls nothing else. True when the
  // watcher must be woken after the tree is released.
  virtual bool QueueEvent(WatchEvent event) = 0;
};

// The one-shot watches of a server's connections: a data table (get, stat) and a child table
// (list), as ZooKeeper's (Z27, Z28): a watch fires once per watcher, path and table; setting it
// twice is setting it once; it dies with its watcher. Thread-safe: readers set under the shared
// hold of the tree, the applier fires under the exclusive one.
class OneShotWatches {
 public:
  enum class Table { kData = 0, kChild = 1 };

  OneShotWatches(size_t per_watcher_max, size_t total_max)
      : per_watcher_max_(per_watcher_max), total_max_(total_max) {}

  // False when a bound is reached; the watch is not set then.
  bool Add(Table table, std::string_view path, std::shared_ptr<OneShotWatcher> watcher);

  // Queues the events of the changes of one command, in order. Appends to `woken` whom to wake.
  void Fire(const std::vector<tree::Change>& changes, WakeList& woken);

  // Forgets a watcher. After it returns the watcher gets no event.
  void RemoveAll(OneShotWatcher& watcher);

  size_t count() const;

 private:
  using WatchersByPath = absl::flat_hash_map<std::string, absl::flat_hash_set<OneShotWatcher*>>;
  using PathSet = absl::flat_hash_set<std::string>;

  struct Entry {
    std::shared_ptr<OneShotWatcher> watcher;  // shared with its frontend, until RemoveAll
    PathSet paths[2];                         // by table
    uint64_t serial = 0;                      // rising
    size_t count() const { return paths[0].size() + paths[1].size(); }
  };

  // Takes the watchers of the path out of the table, in the order of their serials: a simulated run
  // must be repeatable.
  std::vector<std::shared_ptr<OneShotWatcher>> Take(Table table, std::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FireOne(const tree::Change& change, WakeList& woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t per_watcher_max_;
  const size_t total_max_;
  mutable base::Mutex mutex_;
  WatchersByPath by_path_[2] ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<OneShotWatcher*, Entry> by_watcher_ ABSL_GUARDED_BY(mutex_);
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_serial_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord

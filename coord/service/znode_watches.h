#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/service/wakeable.h"
#include "coord/tree/acl.h"

namespace bellwether::coord {

// Who has watches of znodes: gets an event when one fires.
class ZnodeWatcher : public virtual Wakeable {
 public:
  // Called with the tree held: queues the event, calls nothing else. True when the watcher must be
  // woken after the tree is released.
  virtual bool QueueEvent(WatchEvent event) = 0;
  // Who it has proved to be by now; null: nobody. An event needs READ of these (Z32). Likewise.
  virtual std::shared_ptr<const tree::Identities> identities() const = 0;
  // For people who ask who watches what; 0: none.
  virtual SessionId session() const = 0;
};

// The watches that a server's connections set on znodes, in a data and a child table as ZooKeeper's
// (Z27-Z30). A watch is one-shot, persistent (in both tables) or recursive (in the data table, for
// the path and all below it); a watcher may have one of each kind on a path. A change is told once
// per watcher and table, whatever watches it has there; a deletion once in all. They die with their
// watcher. Thread-safe: readers set under the shared hold of the tree, the applier fires under the
// exclusive one. What fires is found by path: that costs the path's depth and who is told.
//
// Limits: Bounds; what goes beyond one is refused and counted.
//
// Invariants:
// - a watcher is in a path's slots of a table exactly when the path is among its own of that table
// - count_ is the number of all slots
class ZnodeWatches {
 public:
  enum class Table { kData = 0, kChild = 1 };

  struct Bounds {
    size_t per_watcher_max = 100'000;  // of `count()` of one watcher
    size_t total_max = 2'000'000;      // of `count()`
    // Of the paths that one watcher watches, in whichever table; of the paths of all, each once.
    size_t path_bytes_per_watcher_max = 16 << 20;
    size_t path_bytes_max = 256 << 20;
  };
  // `refused` counts what a bound refused; it outlives this. Null: nobody counts.
  explicit ZnodeWatches(const Bounds& bounds, base::Counter* refused = nullptr)
      : bounds_(bounds), refused_(refused) {}

  // Sets a one-shot watch; setting it twice is setting it once (Z28). False when a bound is reached
  // or no znode can have the path, being longer than kPathBytesMax; the watch is not set then.
  bool Add(Table table, std::string_view path, std::shared_ptr<ZnodeWatcher> watcher);
  // Sets a persistent watch, respectively a recursive one (Z29, Z33). Else as Add.
  bool AddPersistent(std::string_view path, bool recursive, std::shared_ptr<ZnodeWatcher> watcher);

  // Whether the watcher has a watch of this kind on exactly this path (Z33). kData and kChildren
  // are the one-shot ones, kAny is every kind.
  bool Contains(std::string_view path, WatchKind kind, const ZnodeWatcher& watcher) const;
  // Removes those that Contains finds. False when there were none.
  bool Remove(std::string_view path, WatchKind kind, const ZnodeWatcher& watcher);

  // Queues the events of the changes of one command, in order. Appends to `woken` whom to wake. A
  // watcher without READ is not told, and its one-shot watch is gone all the same (Z32).
  void Fire(const std::vector<tree::Change>& changes, WakeList& woken);

  // Forgets a watcher, which sets none meanwhile. After it returns the watcher gets no event.
  void RemoveAll(const ZnodeWatcher& watcher);

  // Of both tables: a watcher counts once for each path in each, so a persistent watch is two.
  size_t count() const;
  // Of the paths that are watched, each of which is kept once.
  size_t path_bytes() const;

  // How many are on each path, in both tables. `visit` gets each path once, but for what changes
  // meanwhile, in no order and with no lock held: firing waits for at most `paths_per_hold` of them.
  void CountByPath(size_t paths_per_hold,
                   absl::FunctionRef<void(std::string_view path, size_t watches)> visit) const;

  // Of the data table, as ZooKeeper's word `wchs` tells it.
  struct Summary {
    size_t watchers = 0;
    size_t paths = 0;
    size_t watches = 0;
  };
  Summary Summarize() const;

  // Who watches what in the data table, as `wchc` and `wchp` tell it.
  struct Listing {
    std::vector<std::pair<SessionId, std::string>> watches;  // who, path; sorted
    bool more = false;                                       // not all had room
  };
  // Worth about `bytes_max` at most; firing waits while they are copied.
  Listing List(size_t bytes_max) const;

 private:
  // Bits of Slot::modes.
  using Modes = uint8_t;
  static constexpr Modes kOneShot = 1;
  static constexpr Modes kPersistent = 2;
  static constexpr Modes kRecursive = 4;
  static constexpr Modes kAllModes = kOneShot | kPersistent | kRecursive;
  using ModesByTable = std::array<Modes, 2>;

  struct Watched;

  struct Entry {
    std::shared_ptr<ZnodeWatcher> watcher;  // shared with its frontend, until RemoveAll
    uint64_t serial = 0;                    // rising
    uint64_t told = 0;                      // the last telling that reached it
    // By table. Sets that keep no room: else one client after another could leave it behind.
    std::array<absl::btree_set<Watched*>, 2> paths;
    size_t path_bytes = 0;  // of those, one that is in both counts once
    size_t count() const { return paths[0].size() + paths[1].size(); }
    void AddPath(size_t table, Watched& watched);
    void RemovePath(size_t table, Watched& watched);
  };
  // A watcher's watches of one path and table. The serial is the entry's.
  struct Slot {
    uint64_t serial = 0;
    Entry* entry = nullptr;
    Modes modes = 0;  // never 0
  };
  // A path that has watches. Slots are in the order of their serials: a simulated run must be
  // repeatable.
  struct Watched {
    explicit Watched(std::string_view watched_path) : path(watched_path) {}
    const std::string path;
    std::array<std::vector<Slot>, 2> slots;  // by table
    size_t recursive = 0;                    // slots with kRecursive
  };
  // One change on its way to those who watch it.
  struct Telling {
    const tree::Change& change;
    WakeList& woken;
    uint64_t number = 0;
    tree::SharedBytes path;  // null until the first is told
  };

  static ModesByTable ModesOf(WatchKind kind);
  bool AddModes(std::string_view path, ModesByTable modes, std::shared_ptr<ZnodeWatcher> watcher);
  bool RemoveSome(const ZnodeWatcher& watcher, size_t paths_max);
  bool HasRoom(std::string_view path, const ModesByTable& modes, const ZnodeWatcher& watcher) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null when it has none.
  Entry* FindEntry(const ZnodeWatcher& watcher) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry& EntryOf(std::shared_ptr<ZnodeWatcher> watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Watched* FindWatched(std::string_view path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Watched& WatchedOf(std::string_view path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null when the watcher has no watch of that path and table.
  static const Slot* FindSlot(const Watched& watched, size_t table, const Entry& entry);
  void SetModes(Watched& watched, size_t table, Entry& entry, Modes modes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when it had some of them. The slot goes with its last mode.
  bool ClearModes(Watched& watched, size_t table, Entry& entry, Modes modes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseIfUnwatched(const Watched& watched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void FireOne(const tree::Change& change, WakeList& woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FireTable(Table table, Telling& telling) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FireAncestors(Telling& telling) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Tell(Entry& entry, Telling& telling);

  // Where CountByPath is: at a watcher, a table, and the paths from this address on.
  struct CountPosition {
    size_t watcher = 0;
    size_t table = 0;
    const Watched* next = nullptr;
  };
  struct PathCount {
    std::string path;
    size_t watches = 0;
  };
  // The watchers, with their serials; a watcher may be gone by the time it is looked at.
  std::vector<std::pair<const ZnodeWatcher*, uint64_t>> Watchers() const;
  // Counts paths of the watchers for one hold.
  std::vector<PathCount> CountSome(
      const std::vector<std::pair<const ZnodeWatcher*, uint64_t>>& watchers, size_t paths_max,
      CountPosition& position) const;
  void CopyWatches(size_t bytes_max, Listing& listing) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Bounds bounds_;
  base::Counter* const refused_;
  mutable base::Mutex mutex_;
  // Keys are the paths of the values.
  absl::flat_hash_map<absl::string_view, std::unique_ptr<Watched>> by_path_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<const ZnodeWatcher*, std::unique_ptr<Entry>> by_watcher_
      ABSL_GUARDED_BY(mutex_);
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t path_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t data_paths_ ABSL_GUARDED_BY(mutex_) = 0;  // with slots of the data table
  size_t recursive_ ABSL_GUARDED_BY(mutex_) = 0;   // slots with kRecursive
  size_t recursive_path_bytes_max_ ABSL_GUARDED_BY(mutex_) = 0;  // no longer path has one
  uint64_t last_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_telling_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord

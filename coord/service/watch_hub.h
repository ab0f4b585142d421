#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/service/wakeable.h"

namespace bellwether::coord {

// All that one zxid changed. Never empty.
struct ChangeSet {
  Zxid zxid;
  std::vector<tree::Change> changes;
  size_t bytes = 0;  // in memory, roughly
};

// Shared by the ring and the queues of all watches that want it; whoever lets go last frees it.
using ChangeSetPtr = std::shared_ptr<const ChangeSet>;

ChangeSetPtr MakeChangeSet(Zxid zxid, std::vector<tree::Change> changes);
ChangeSet ToChangeSet(Zxid zxid, std::vector<tree::Change> changes);

// The part of the tree that a native watch is about: one or more znodes, or all at and below them.
struct WatchFilter {
  std::vector<std::string> paths;
  bool recursive = false;

  // Sorts the paths and drops those that others cover, so that none stands for the same change twice.
  void Normalize();

  // As in "/a, /b", for people: all of them if they are short.
  std::string Text() const;

  // Requires: normalized.
  bool Matches(const tree::Change& change) const;
};

// The newest changes, bounded by count and bytes. Those that nobody was ever given are not shared yet:
// most are forgotten without. Not thread-safe.
class WatchRing {
 public:
  WatchRing(size_t changes_max, size_t bytes_max)
      : changes_max_(changes_max), bytes_max_(bytes_max) {}

  // Return how many changes it forgot for lack of room.
  size_t Append(ChangeSetPtr set);
  size_t Append(ChangeSet set);

  // Forgets all changes up to `zxid`, which may be above the newest.
  void Clear(Zxid zxid);

  // Every change after this zxid is still here.
  Zxid resumable_from() const { return resumable_from_; }

  size_t changes() const { return changes_; }
  size_t bytes() const { return bytes_; }

  // Those after this zxid that are still here, the oldest first, at most so many.
  std::vector<ChangeSetPtr> After(Zxid zxid, size_t sets_max);

  // Requires: zxid >= resumable_from().
  void ForEachAfter(Zxid zxid, absl::FunctionRef<void(const ChangeSetPtr&)> visit);

 private:
  struct Slot {
    ChangeSet own;        // as long as it is not shared; then without changes
    ChangeSetPtr shared;  // null: not yet
    size_t changes = 0;
  };

  std::deque<Slot>::iterator FirstAfter(Zxid zxid);
  size_t Add(Slot slot);
  static const ChangeSetPtr& Share(Slot& slot);

  const size_t changes_max_;
  const size_t bytes_max_;
  std::deque<Slot> slots_;
  size_t changes_ = 0;
  size_t bytes_ = 0;
  Zxid resumable_from_;
};

// Who gets every change of a part of the tree.
class HubWatcher : public virtual Wakeable {
 public:
  // Normalized; never changes.
  virtual const WatchFilter& filter() const = 0;
  // Whether it wants to hear soon of every zxid, also those without a change for it.
  virtual bool wants_prompt_progress() const = 0;

  enum class Queued {
    kNot,   // its client may not see that change; perhaps another one of the set
    kYes,   // or it was before, or the watcher is over
    kWake,  // as kYes, and it must be woken after the locks are released
  };
  // Called with the hub locked: queue, call nothing else. Gets sets that match the filter, in zxid
  // order, the newest perhaps several times, each time with a change of it that matches. It judges by
  // that whether its client may see anything of the set; null: it does not judge now, and leaves out
  // later what its client may not see.
  virtual Queued QueueChanges(const ChangeSetPtr& set, const tree::Change* judged) = 0;
  // All up to `zxid` was queued: tells the client, once that was taken. `repeat`: also when the
  // client knows, so that it hears from the server. True when it must be woken.
  virtual bool QueueProgress(Zxid zxid, bool repeat) = 0;
};

// The native watches of this server and the ring they resume from. Thread-safe. Lock order: the
// tree, then the hub, then a watcher's queue. Watchers are looked up by path, so a change costs its
// depth and who wants it, not the number of watches; and those of a path are gone through once for a
// set of changes, and a few times more when not all of them may see what they are offered.
class WatchHub {
 public:
  // `on_progress` is woken when SendPromptProgress has something to tell: it calls that, soon.
  // `forgotten` counts the changes that the ring had no room for any more; it outlives the hub.
  WatchHub(size_t ring_changes_max, size_t ring_bytes_max, std::shared_ptr<Wakeable> on_progress,
           base::Counter& forgotten)
      : on_progress_(std::move(on_progress)),
        forgotten_(forgotten),
        ring_(ring_changes_max, ring_bytes_max) {}

  // The applier, holding the tree exclusively: the changes of one command, of a zxid above all
  // before. Appends to `woken` who must be woken when the tree is released.
  void Publish(Zxid zxid, std::vector<tree::Change> changes,
               WakeList& woken);

  // The applier, holding the tree exclusively: the state was replaced by that of `zxid`. Nobody can
  // resume from before it, and all watchers are forgotten: what they missed is not known.
  void Restart(Zxid zxid);

  struct Resumed {
    bool from_ring = false;  // else the changes after from_zxid are not all kept
    Zxid resumable_from;     // the oldest zxid that would have done
    Zxid zxid;               // all up to here is queued (from_ring), or is the state to start with
  };
  // The caller holds the tree shared, so that nothing is published meanwhile. Registers the watcher
  // for every change from now on; from_zxid > 0 and still in the ring: first queues those after it.
  Resumed Subscribe(std::shared_ptr<HubWatcher> watcher, Zxid from_zxid);

  void Unsubscribe(HubWatcher& watcher);

  // Tells every watcher how far it is: called on a timer.
  void SendProgress();
  // Those that want prompt progress: called some time after `on_progress` was woken.
  void SendPromptProgress();

  size_t count() const;

  // Some of what can be resumed from, see WatchRing. From one call to the next the oldest may go.
  std::vector<ChangeSetPtr> RingAfter(Zxid zxid, size_t sets_max) const;
  Zxid resumable_from() const;
  // What can be resumed from, and its memory.
  size_t ring_changes() const;
  size_t ring_bytes() const;

 private:
  // Those who watch a path.
  struct Place {
    std::vector<std::shared_ptr<HubWatcher>> watchers;
    // How far the newest set came that has a change for this path.
    Zxid offered;
    std::vector<size_t> left;        // positions of those who have not queued it
    int refusals = 0;                // of other accesses, one after another
    const void* refused = nullptr;   // the last of these; never looked into
  };
  using Watchers = absl::flat_hash_map<std::string, Place>;

  static void Offer(Watchers& watchers, std::string_view path, const ChangeSetPtr& set,
                    const tree::Change& change, WakeList& woken);
  static bool Remove(std::vector<std::shared_ptr<HubWatcher>>& watchers, const HubWatcher& watcher);

  const std::shared_ptr<Wakeable> on_progress_;  // shared with wake lists
  base::Counter& forgotten_;

  mutable base::Mutex mutex_;
  mutable WatchRing ring_ ABSL_GUARDED_BY(mutex_);  // shares what is read
  Zxid zxid_ ABSL_GUARDED_BY(mutex_);  // all up to here was published
  // Shared with the frontend's stream, which may end at any time.
  Watchers exact_ ABSL_GUARDED_BY(mutex_);
  Watchers recursive_ ABSL_GUARDED_BY(mutex_);
  size_t recursive_path_bytes_max_ ABSL_GUARDED_BY(mutex_) = 0;  // no longer path is in recursive_
  std::vector<std::shared_ptr<HubWatcher>> prompt_ ABSL_GUARDED_BY(mutex_);
  bool progress_due_ ABSL_GUARDED_BY(mutex_) = false;  // on_progress_ was woken
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord

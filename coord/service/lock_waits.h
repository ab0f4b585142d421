#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/service/wakeable.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// Who waits for a lock: is told what becomes of its znode.
class LockWaiter : public virtual Wakeable {
 public:
  // Called with the tree held: queues the event, calls nothing else. True when the waiter must be
  // woken after the tree is released.
  virtual bool QueueGrantEvent(GrantEvent event) = 0;
};

// The waits for locks of a server's connections. A lock is a znode; its children stand in line, in the
// order of the last ten characters of their names, which is where a sequential znode has its number. Who
// has none before it holds the lock. A child that waits is told when it becomes the first, and when it is
// gone; nobody else is told of that change, however many wait.
// For each lock that somebody here waits for there is a *line*: the places of all its children. It is made
// when the first one waits, and follows the changes of the tree, so that a change costs a lookup or two
// and never a walk along the line.
// Thread-safe: readers add under the shared hold of the tree, the applier follows under the exclusive
// one. Waits die with their waiter. Limits: Options.
//
// Invariants:
// - a line has the places of exactly the children that its znode has in the tree
// - a line has at least one wait; a znode has at most one
class LockWaits {
 public:
  struct Options {
    size_t per_waiter_max = 1'000;
    size_t total_max = 100'000;
    // A lock with more children is refused when nobody here waits for it yet: someone would have to
    // look at all of them.
    size_t line_places_max = 10'000;
    size_t places_max = 1'000'000;  // of all lines, when one is made
  };

  explicit LockWaits(Options options) : options_(options) {}

  // Whether the znode holds its lock; from now on the waiter is told what becomes of it, instead of who
  // asked before. nullopt when a bound is reached. Requires: `state` has the znode, with this czxid,
  // and is held.
  std::optional<bool> Await(const tree::StateView& state, const std::string& path, Zxid token,
                            std::shared_ptr<LockWaiter> waiter);

  // Queues the events of the changes of one command. Appends to `woken` whom to wake.
  void Follow(const std::vector<tree::Change>& changes, WakeList& woken);

  // Frees what is left of lines that nobody waits in any more: it may be much. To be called now and
  // then, the tree not held.
  void FreeUnused();

  // Forgets a waiter. After it returns the waiter gets no event.
  void RemoveAll(const LockWaiter& waiter);

  // The state was replaced: forgets all, whose connections are given up with it.
  void Clear();

  size_t count() const;   // of waits
  size_t places() const;  // of all lines, those to be freed included

 private:
  using Place = std::string;
  // Of a line: the znodes that wait, by place and name.
  using WaitKey = std::pair<Place, std::string>;
  struct Wait {
    std::shared_ptr<LockWaiter> waiter;  // shared with its frontend, until RemoveAll
    Zxid token;
    bool told = false;  // that it holds the lock
  };
  struct Line {
    absl::btree_map<Place, uint32_t> places;  // how many children have it: 1, unless made by hand
    size_t children = 0;
    std::map<WaitKey, Wait> waits;
  };

  // False when a bound is reached.
  bool HasRoom(const tree::StateView& state, std::string_view lock, const LockWaiter& waiter) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Line& LineOf(const tree::StateView& state, std::string_view lock)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Line* FindLine(std::string_view lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddPlace(Line& line, std::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemovePlace(Line& line, std::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The znode is gone: tells who waits, and forgets the wait.
  void TellGone(Line& line, const tree::Change& change, std::string_view name, WakeList& woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellGranted(std::string_view lock, Line& line, Zxid zxid, WakeList& woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseIfUnused(const std::string& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Disown(const LockWaiter& waiter, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  std::atomic<bool> any_ = false;  // there are lines
  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Line>> lines_ ABSL_GUARDED_BY(mutex_);
  // Paths of the znodes that each waits with.
  absl::flat_hash_map<const LockWaiter*, absl::btree_set<std::string>> by_waiter_
      ABSL_GUARDED_BY(mutex_);
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t places_ ABSL_GUARDED_BY(mutex_) = 0;  // of lines_ and unused_
  std::vector<std::unique_ptr<Line>> unused_ ABSL_GUARDED_BY(mutex_);
};

// Lets the waiter wait, as an AwaitGrant that was evaluated with success asks, and completes the
// response, or makes it the failure that says why not. For any other request nothing happens. The
// caller holds the state since before the request was evaluated.
void ServeAwaitGrant(const Request& request, const tree::StateView& state,
                     std::shared_ptr<LockWaiter> waiter, LockWaits& waits, Response& response);

}  // namespace bellwether::coord

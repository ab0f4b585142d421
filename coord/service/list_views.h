#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// The states that are kept for lists of several pages, so that all pages of one are of one zxid: by
// connection and zxid. A state that is kept holds the memory of what has changed since.
// Owned by the service; thread-safe. Its lock is a leaf, and no state is freed under it, nor under the
// tree's hold.
// Limits: Options. Where there is no room the list that comes later gets none, as otherwise two that
// are too many would always drop each other; but one that was left alone for `undisturbed` goes then.
class ListViews {
 public:
  struct Options {
    size_t per_connection_max = 2;
    size_t total_max = 64;
    absl::Duration idle_max = absl::Seconds(30);    // from one page to the next
    absl::Duration undisturbed = absl::Seconds(1);  // likewise, when there is no room
    // Paths and data written while a state is kept: about what its memory comes to beyond that of
    // the present one. Above it the state is dropped.
    uint64_t change_bytes_max = 256 << 20;
  };

  ListViews(Options options, base::Clock& clock, base::Metrics& metrics);

  // A page was evaluated at this state. Keeps the state while there are further pages to ask for, if
  // the list wants that; lets go of it after the last page, and after one that failed. May be called
  // with the tree held.
  void OnPage(uint64_t connection, const tree::StateView& state, const ListRead& read,
              const Response& response);

  // Of a further page; nullopt when it is not kept, or not any more.
  std::optional<tree::StateView> Find(uint64_t connection, Zxid zxid);

  // The answer when it is not.
  static Failure Expired(const ListRead& read);

  // The connection is over.
  void RemoveAll(uint64_t connection);

  // Commands were applied; cheap while nothing is kept.
  void NoteChanges(const std::vector<tree::Change>& changes);

  // Drops what nobody asked for in time, or what holds too much memory. To be called now and then.
  void DropExpired();

  size_t count() const;

 private:
  using Key = std::pair<uint64_t, Zxid>;  // a connection's serial, and the state's zxid
  struct Kept {
    tree::StateView state;
    size_t lists = 1;          // that have further pages to come
    absl::Duration used;       // when a page was last asked for
    uint64_t change_bytes = 0;  // of change_bytes_ when it was kept
  };
  using Views = std::map<Key, Kept>;

  void Keep(const Key& key, const tree::StateView& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the one that was left alone for longest out of [begin, end). False when none was for long
  // enough.
  bool MakeRoom(Views::iterator begin, Views::iterator end, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(Views::iterator view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Views::iterator FirstOf(uint64_t connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return views_.lower_bound({connection, Zxid(0)});
  }

  const Options options_;
  base::Clock& clock_;
  base::Counter& expired_;
  std::atomic<uint64_t> change_bytes_ = 0;  // while something is kept
  std::atomic<size_t> count_ = 0;

  mutable base::Mutex mutex_;
  Views views_ ABSL_GUARDED_BY(mutex_);
  // To be freed by DropExpired: what was dropped may be large, and the tree held.
  std::vector<tree::StateView> dropped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord

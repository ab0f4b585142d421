#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

using PackedNamesPtr = std::shared_ptr<const PackedNames>;

// Large lists of children as they are sent, so that one which many clients ask for is put together once
// and not for each of them. A list is good while the znode is the one that it was of and has the
// children of then, which its Stat tells. Who asks must have READ of the znode, which is looked at for
// each request: what is kept says nothing of ACLs.
// Owned by the service; thread-safe. Its lock is a leaf, and no list is freed under it.
// Limits: Options; what was asked for longest ago goes. Lists of which one alone has more than a quarter
// of the room are not kept.
class ChildLists {
 public:
  struct Options {
    size_t bytes_max = 16 << 20;       // of all, with their paths
    size_t list_bytes_min = 16 << 10;  // of one; smaller ones are made as fast as they are found
  };

  ChildLists(Options options, base::Metrics& metrics);

  // The names that a read of this state lists; null when they are not kept, or the read is not of a
  // kind that is.
  PackedNamesPtr Find(const ListRead& read, const tree::StateView& state);

  // Keeps the names of an answer that was made at this state, and packs them in it, if they are worth it.
  void Share(const ListRead& read, const tree::StateView& state, Response& response);

  size_t bytes() const;

 private:
  // Which children a znode has: any change of them changes one of these.
  struct Version {
    Zxid czxid;
    Zxid pzxid;
    int32_t cversion = 0;
    int32_t num_children = 0;

    bool operator==(const Version&) const = default;
  };
  struct Kept {
    Version version;
    PackedNamesPtr names;
    uint64_t used = 0;  // rising
  };

  static bool IsOfAKindKept(const ListRead& read);
  static Version VersionOf(const tree::Znode& znode);
  static size_t BytesOf(const std::string& path, const PackedNames& names);
  // Takes it out; what is returned is freed without the lock.
  PackedNamesPtr Remove(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const std::string& Oldest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  base::Counter& hits_;
  base::Counter& misses_;

  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, Kept> by_path_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_use_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwether::coord

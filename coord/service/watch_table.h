#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coord/service/locked_tree.h"
#include "coord/service/options.h"
#include "coord/service/requests.h"
#include "coord/service/watch.h"
#include "coord/service/watch_hub.h"

namespace bellwether::coord {

// The native watches that are open at this server, and what each starts with. Must not know what
// frontends do with them.
// Owned by the service; thread-safe. Its lock is a leaf: nobody is called holding it.
// Limits: ServiceOptions::connections_max watches; watch_state_bytes_max of one's first state.
class WatchTable {
 public:
  WatchTable(const ServiceOptions& options, const LockedTree& state, WatchHub& hub,
             base::Metrics& metrics);

  // False when there are too many.
  bool Add(std::shared_ptr<Watch> watch);

  // As WatchBackend's ArmWatch.
  absl::StatusOr<std::unique_ptr<WatchStart>> Arm(const std::shared_ptr<Watch>& watch);

  // The watch is over: it gets no more changes. `failure`: why, when not for the client's own
  // reasons.
  void Remove(Watch& watch, const std::optional<Failure>& failure);

  void CloseAll(const Failure& failure);

  size_t count() const;
  // Those that are open, in no order.
  std::vector<std::shared_ptr<Watch>> All() const;
  // Changes that watchers have not taken yet.
  size_t queue_bytes() const;

 private:
  struct Opened {
    uint64_t serial = 0;  // rising
    std::shared_ptr<Watch> watch;
  };

  const ServiceOptions& options_;
  const LockedTree& state_;
  WatchHub& hub_;
  base::Counter& cancelled_;

  mutable base::Mutex mutex_;
  uint64_t last_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<Watch*, Opened> opened_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/metrics.h"
#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// What a state takes in memory, roughly, allocator included: of its counters, so it takes O(1). ACLs
// count as if no two znodes shared one; what views, watches and outboxes hold does not count.
uint64_t EstimateTreeBytes(const tree::StateView& state);

// Whether the operation may make the state larger: it creates something, or stores data that are not
// empty or an ACL. What it takes away elsewhere does not count.
bool Grows(const RequestOperation& operation);

// The bound of the tree's memory: once it is reached this server proposes nothing of its clients that
// grows, until enough was deleted. All else passes, sessions too. Each server judges what its own
// clients ask for, by the state that it has applied.
// Owned by the service; thread-safe, no locks.
// Limits: beyond the bound there may be what was proposed and is not applied here yet (README).
class TreeBound {
 public:
  // 0: there is none.
  TreeBound(uint64_t bytes_max, base::Metrics& metrics);

  // The state is this now.
  void Measure(const tree::StateView& state) {
    bytes_.store(EstimateTreeBytes(state), std::memory_order_relaxed);
  }

  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // Why the operation is refused: RESOURCE_EXHAUSTED, reason "tree_full".
  std::optional<Failure> Refuses(const RequestOperation& operation);

 private:
  const uint64_t bytes_max_;
  base::Counter& refused_;
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace bellwether::coord

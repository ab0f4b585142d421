#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/executor.h"
#include "base/metrics.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// Frees states of which much is held by nobody else, as one from before a large deletion, on an executor
// where no command waits for that: a million znodes take a second.
// Owned by the service; thread-safe.
// Limits: kWaitingMax states wait; further ones are freed by who gives them.
class DiscardedStates {
 public:
  static constexpr size_t kWaitingMax = 16;

  DiscardedStates(base::Executor& executor, base::Metrics& metrics);

  // Not under a lock.
  void Free(tree::StateView state);

 private:
  base::Executor& executor_;
  base::Counter& freed_at_once_;
  const std::shared_ptr<std::atomic<size_t>> waiting_;  // shared with what is posted
};

}  // namespace bellwether::coord

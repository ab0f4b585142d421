#include "coord/service/discarded_states.h"

#include <utility>

namespace bellwether::coord {

DiscardedStates::DiscardedStates(base::Executor& executor, base::Metrics& metrics)
    : executor_(executor),
      freed_at_once_(metrics.AddCounter(
          "bell_states_freed_by_applier_total",
          "Large parts of the state that the applier freed itself, as too many waited.")),
      waiting_(std::make_shared<std::atomic<size_t>>(0)) {
  metrics.AddGauge("bell_discarded_states", "Large parts of the state that wait to be freed.",
                   [waiting = waiting_] { return static_cast<double>(waiting->load()); });
}

void DiscardedStates::Free(tree::StateView state) {
  if (waiting_->fetch_add(1, std::memory_order_relaxed) >= kWaitingMax) {
    waiting_->fetch_sub(1, std::memory_order_relaxed);
    freed_at_once_.Add();
    return;
  }
  executor_.Post([waiting = waiting_, discarded = std::move(state)]() mutable {
    discarded = tree::StateView();
    waiting->fetch_sub(1, std::memory_order_relaxed);
  });
}

}  // namespace bellwether::coord

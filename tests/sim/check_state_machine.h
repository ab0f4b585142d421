#pragma once

#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// State machine safety (paper figure 3): servers apply the same entries, each once and in order, from
// the first one on or behind a snapshot of what some server had applied before.
class StateMachineChecker {
 public:
  StateMachineChecker(const CommittedLog& log, Violations& violations)
      : log_(log), violations_(violations) {}

  // Before the log hears of it.
  void OnApply(ServerId server, const coord::CommittedBatch& batch);
  void OnRestored(ServerId server, LogIndex index);

 private:
  const CommittedLog& log_;
  Violations& violations_;
};

}  // namespace bellwether::sim

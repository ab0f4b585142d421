#pragma once

#include <cstdint>

#include "coord/tree/state_machine.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// The usage that a quota says is that of its znodes, and no single creation or change of data has
// gone beyond a hard limit (Z54). Sees one command after the other.
class QuotaChecker {
 public:
  // `tree`: as the command left it.
  void Follow(const coord::tree::Operation& operation, const coord::tree::StateMachine& tree,
              Violations& violations);

 private:
  bool known_ = false;  // what follows
  uint64_t count_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace bellwether::sim

#pragma once

#include <map>

#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"
#include "tests/support/sim_log_store.h"

namespace bellwether::sim {

// Log matching (paper figure 3): two logs that agree on an entry's term at an index agree on
// everything up to it. Compares the durable logs.
void CheckLogMatching(const std::map<ServerId, const coord::SimDisk*>& disks,
                      Violations& violations);

}  // namespace bellwether::sim

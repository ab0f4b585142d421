#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Who has the lock of the recipe is first in line, by the state that any server had then, and its token
// is that of its znode: so tokens grow from holder to holder. While one may believe that it has the lock
// nobody else has it; by how much faster than time a server's clock may run decides whether its session
// could have ended before (`clock_rate_max`).
void CheckLocks(const History& history, const Model& model, double clock_rate_max,
                Violations& violations);

}  // namespace bellwether::sim

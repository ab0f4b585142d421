#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Who stands in line for a lock is told that it holds it, once, exactly when no znode stands before
// its own, so at most one holds it; and that its znode is gone. Both come before any answer that
// could reveal it.
void CheckGrants(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// Every watch delivered the state at one zxid, then each later change of its part of the tree
// exactly once, in order, all of one zxid together; a resync led to the state it names.
void CheckWatches(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

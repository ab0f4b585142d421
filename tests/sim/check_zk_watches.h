#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// The watches of a ZooKeeper connection fire as the rules say, for each change once and in order,
// never without being set, and before any reply that reveals the change (Z25 to Z34).
void CheckZkWatches(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// Every one-shot watch fired for the first change after it was set, and before its client was shown
// a state that reveals the change.
void CheckOneShotWatches(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// Every write had the fate its client was told: an acknowledged one is in the log, once, with that
// zxid and result; a rejected one never took effect; an unknown one did so at most once. An
// acknowledged one took effect after everything that any server had applied when it was asked for.
void CheckWrites(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

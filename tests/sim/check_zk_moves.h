#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Nothing is served through a connection whose session has moved to another one (Z42).
void CheckZkMoves(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

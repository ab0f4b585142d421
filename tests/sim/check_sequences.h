#pragma once

#include "tests/sim/model.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// The numbers of sequential znodes rise as long as their parent lives (Z11).
void CheckSequences(const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include "tests/sim/model.h"

namespace bellwether::sim {

// A command that failed has left the znodes that it names as they were, with their ACLs and TTLs.
// `model`: its state is that after the command.
void CheckUnchanged(const Model::Applied& applied, const Model& model, Violations& violations);

}  // namespace bellwether::sim

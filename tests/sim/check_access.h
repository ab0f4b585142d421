#pragma once

#include "tests/sim/model.h"

namespace bellwether::sim {

// What took effect was permitted by the ACLs before it to whom the command names, and what was
// refused for want of a permission was not (Z13, Z18 to Z20).
void CheckAccess(const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include "tests/sim/model.h"

namespace bellwether::sim {

// Which commands of a session may take effect (paper section 8, thesis section 6.3): those of its
// newest generation, in sequence without a gap, and an expiry only of the generation it names. The model replays the product's own state
// machine; this checker has the rules from the design alone.
void CheckAdmission(const Model& model, Violations& violations);

}  // namespace bellwether::sim

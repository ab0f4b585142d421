#pragma once

#include "tests/sim/model.h"

namespace bellwether::sim {

// What the leader deleted by itself was a container whose last child was deleted, or a znode that
// had no children and was unchanged for its TTL (Z17).
void CheckExpiry(const Model& model, Violations& violations);

}  // namespace bellwether::sim

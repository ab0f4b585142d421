#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// The writes of a session took effect in the order of its client's calls, and its answers came and
// were evaluated in that order.
void CheckSessionOrder(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

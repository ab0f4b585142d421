#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// Every read was answered with the state at the zxid it names. A linearizable one is at least as
// new as everything that any server had applied when it was asked for: since zxids order all
// changes, that and CheckWrites is linearizability, without a search.
void CheckReads(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

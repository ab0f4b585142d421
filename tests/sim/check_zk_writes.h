#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// A write of a ZooKeeper client that was answered is in the log at the zxid of its reply, of its
// session, with that outcome, by whom the client was when it asked (Z51), after all that was
// applied then; one that was lost took effect at most once; writes take effect in the order of the
// requests, and none of a connection without those before it.
void CheckZkWrites(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

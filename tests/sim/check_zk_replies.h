#pragma once

#include "tests/sim/history.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// What a client of ZooKeeper's is told of zxids never goes back, whichever servers tell it (Z8,
// Z9), a reply is no newer than what any server had applied, and none comes from a server that has
// no contact with a leader. (That replies are in order the client checks.)
void CheckZkReplies(const History& history, Violations& violations);

}  // namespace bellwether::sim

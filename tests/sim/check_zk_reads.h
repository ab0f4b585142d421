#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// A read of a ZooKeeper client is answered with the state of the zxid in its reply, as far as its
// ACL permits to who asked (Z26, Z50); a sync with no older one than any server had applied when it
// was asked for (Z52). With zxids that never go back that is: own writes are seen, and what was
// read behind a sync is as new as every write that was answered before it.
void CheckZkReads(const History& history, const Model& model, Violations& violations);

}  // namespace bellwether::sim

#pragma once

#include <map>

#include "coord/raft/membership.h"
#include "tests/sim/history.h"
#include "tests/sim/model.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// What /zookeeper/config says (Z53) was so: who was in the ensemble, by the log (`memberships`), at the
// state before or later; its version is the zxid that wrote it, so it never goes back.
// And reconfigurations (Z55): one that was answered well was asked for by the superuser, with a version
// that was the newest at that server, and who joined and left is in the configuration that it was
// answered with, which is that of its zxid; a version that is refused was another one; what nobody can
// be granted is refused.
void CheckConfigs(const History& history, const Model& model,
                  const std::map<LogIndex, coord::raft::Membership>& memberships,
                  Violations& violations);

}  // namespace bellwether::sim

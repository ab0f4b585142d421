#pragma once

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bellwether::sim {

// No session was expired before the time until which its client had been promised to keep it, and
// none lives whose client was told that it is over. `clock_rate_max`: how much faster than a client's
// a server's clock may run.
// (That ephemerals end with their session the model checks.)
void CheckSessions(const History& history, const Model& model, double clock_rate_max,
                   Violations& violations);

// After healing: only the sessions of clients that are still there live.
void CheckAbandonedSessionsEnded(const History& history, const Model& model,
                                 Violations& violations);

}  // namespace bellwether::sim

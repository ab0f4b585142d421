#pragma once

#include "coord/replica/log_store.h"
#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Leader completeness (paper figure 3 and section 5.4.3): who becomes leader of `term` has in its log
// all that was committed in earlier terms. `newest_term`: of any leader so far; one that hears late of
// its election may be behind.
void CheckLeaderCompleteness(const CommittedLog& committed, ServerId server, Term term,
                             Term newest_term, coord::LogStore& log, Violations& violations);

}  // namespace bellwether::sim

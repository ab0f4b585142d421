#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/options.h"

namespace bellwether::sim {

// What came of one seed.
struct Report {
  uint64_t seed = 0;
  absl::Duration simulated;
  FaultCounts faults;
  uint64_t operations = 0;
  uint64_t acknowledged = 0;  // writes and reads answered with a result
  uint64_t elections = 0;     // terms that had a leader
  uint64_t snapshots = 0;     // taken by servers
  uint64_t memberships = 0;   // changes of it that were answered as complete
  uint64_t read_only = 0;     // requests that were answered without a quorum
  uint64_t repeated = 0;      // writes sent again and answered with what they had done
  uint64_t reconfigured = 0;  // changes of the members that clients of ZooKeeper's asked for, done
  uint64_t locked = 0;        // times that somebody had the lock of the recipe
  uint64_t violations = 0;
  uint64_t trace_hash = 0;
  uint64_t trace_lines = 0;
  std::string violation;    // the first, as in "election safety: ..."; empty when there is none
  std::string explanation;  // of violations: what, options, the end of the trace; else empty
};

// The life of one world: servers and clients start, faults happen while clients work (safety), then
// everything is healed and must come to an end within bounds (liveness), then all that clients were
// told is compared with what was committed.
Report RunSeed(uint64_t seed, bool print_trace);

}  // namespace bellwether::sim

#pragma once

#include <cstdint>
#include <string>

namespace bellwether::coord {

struct ForwardRun {
  std::string violation;      // empty: none
  uint64_t applied = 0;       // commands that had been forwarded
  uint64_t refused = 0;       // forwards that the leader refused
  uint64_t leaders_back = 0;  // leadership went away and came back while a forward was on its way
};

// Three replicas of which each is asked to propose, while messages are lost or late, connections
// break and leadership goes to and fro, all decided by the seed. What one of them forwarded must be
// in the log in the order in which it forwarded it, each once, and nothing of a stream behind
// something of it that is missing, unless the leader refused that.
ForwardRun RunForwards(uint64_t seed);

}  // namespace bellwether::coord

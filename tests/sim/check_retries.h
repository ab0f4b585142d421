#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "coord/tree/command.h"
#include "coord/tree/result.h"
#include "coord/tree/state_view.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Whoever sends a write again gets the result that it had, and nothing else happens; a result is kept
// as long as the client has not said that it got it, and no longer. What the clients of a world leave
// unanswered is far below the bounds of what is kept.
class RetryChecker {
 public:
  // Right after the command, applied with that result, in that state. `changes`: how many there were.
  void Follow(const coord::tree::Command& command, const coord::tree::Result& result,
              size_t changes, const coord::tree::StateView& state, Violations& violations);

  // Commands that were answered with what they had done before.
  uint64_t repeated() const { return repeated_; }

 private:
  using Key = std::pair<coord::tree::SessionId, coord::tree::CommandSequence>;

  void FollowRepeated(const Key& key, const coord::tree::Result& result, size_t changes,
                      coord::tree::Zxid zxid, Violations& violations) const;

  std::map<Key, coord::tree::Result> kept_;  // of what was applied, floors of clients aside
  std::map<coord::tree::SessionId, coord::tree::CommandSequence> floors_;  // highest of a session
  uint64_t repeated_ = 0;
};

}  // namespace bellwether::sim

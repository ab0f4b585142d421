#pragma once

#include <cstdint>
#include <map>

#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Equal positions in the log give equal states, by their digests. Model compares them with a replay.
class DigestChecker {
 public:
  explicit DigestChecker(Violations& violations) : violations_(violations) {}

  void OnState(ServerId server, LogIndex index, uint64_t digest);

  // By index, of every index at which some server was asked.
  const std::map<LogIndex, uint64_t>& digests() const { return digests_; }

 private:
  Violations& violations_;
  std::map<LogIndex, uint64_t> digests_;
};

}  // namespace bellwether::sim

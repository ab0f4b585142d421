#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "coord/raft/membership.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

enum class VoteResult { kPending, kWon, kLost };

// The voters of a membership. What a majority of them says is decided; while the membership is joint
// it takes a majority of each half (thesis section 4.3). Pure arithmetic; knows nothing of logs or
// messages.
class VoterSet {
 public:
  explicit VoterSet(const Membership& membership);

  const std::vector<ServerId>& members() const { return members_; }  // of either half, ascending
  bool Contains(ServerId server) const;

  // The largest value that a majority has reached. `value`: each voter's; 0 for one that doesn't
  // count, which never makes a majority smaller.
  uint64_t ReachedByMajority(absl::FunctionRef<uint64_t(ServerId)> value) const;

  // Of servers, of which those that are no voters don't matter.
  VoteResult Result(const std::vector<ServerId>& granted,
                    const std::vector<ServerId>& refused) const;

 private:
  std::vector<std::vector<ServerId>> halves_;  // one, or two while joint
  std::vector<ServerId> members_;
};

}  // namespace bellwether::coord::raft

#include "coord/raft/quorum.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace bellwether::coord::raft {

VoterSet::VoterSet(std::vector<ServerId> voters) : members_(std::move(voters)) {
  std::sort(members_.begin(), members_.end());
}

bool VoterSet::Contains(ServerId server) const {
  return std::binary_search(members_.begin(), members_.end(), server);
}

uint64_t VoterSet::ReachedByMajority(std::vector<uint64_t> values) const {
  CHECK(values.size() == members_.size());
  auto reached = values.begin() + static_cast<ptrdiff_t>(majority() - 1);
  std::nth_element(values.begin(), reached, values.end(), std::greater<>());
  return *reached;
}

VoteResult VoterSet::Result(size_t granted, size_t refused) const {
  if (granted >= majority()) return VoteResult::kWon;
  if (size() - refused < majority()) return VoteResult::kLost;
  return VoteResult::kPending;
}

}  // namespace bellwether::coord::raft

#include "coord/raft/quorum.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/mutant.h"

namespace bellwether::coord::raft {
namespace {

std::vector<ServerId> VotersOf(const std::vector<Member>& members) {
  std::vector<ServerId> voters;
  for (const Member& member : members) {
    if (member.voter) voters.push_back(member.id);
  }
  return voters;
}

size_t MajorityOf(const std::vector<ServerId>& half) { return half.size() / 2 + 1; }

size_t CountIn(const std::vector<ServerId>& half, const std::vector<ServerId>& servers) {
  return static_cast<size_t>(std::count_if(half.begin(), half.end(), [&servers](ServerId voter) {
    return std::find(servers.begin(), servers.end(), voter) != servers.end();
  }));
}

}  // namespace

VoterSet::VoterSet(const Membership& membership) {
  if (!membership.IsJoint() || !MUTANT(38)) halves_.push_back(VotersOf(membership.members));
  if (membership.IsJoint()) halves_.push_back(VotersOf(membership.next));
  for (ServerId server : membership.Servers()) {
    if (membership.IsVoter(server)) members_.push_back(server);
  }
}

bool VoterSet::Contains(ServerId server) const {
  return std::binary_search(members_.begin(), members_.end(), server);
}

uint64_t VoterSet::ReachedByMajority(absl::FunctionRef<uint64_t(ServerId)> value) const {
  uint64_t reached_by_all = std::numeric_limits<uint64_t>::max();
  for (const std::vector<ServerId>& half : halves_) {
    std::vector<uint64_t> values;
    values.reserve(half.size());
    for (ServerId voter : half) values.push_back(value(voter));
    auto reached = values.begin() + static_cast<ptrdiff_t>(MajorityOf(half) - 1);
    std::nth_element(values.begin(), reached, values.end(), std::greater<>());
    reached_by_all = std::min(reached_by_all, *reached);
  }
  return reached_by_all;
}

VoteResult VoterSet::Result(const std::vector<ServerId>& granted,
                            const std::vector<ServerId>& refused) const {
  bool won = true;
  for (const std::vector<ServerId>& half : halves_) {
    if (half.size() - CountIn(half, refused) < MajorityOf(half)) return VoteResult::kLost;
    won &= CountIn(half, granted) >= MajorityOf(half);
  }
  return won ? VoteResult::kWon : VoteResult::kPending;
}

}  // namespace bellwether::coord::raft

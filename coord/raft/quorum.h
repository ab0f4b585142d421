#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coord/raft/types.h"

namespace bellwether::coord::raft {

enum class VoteResult { kPending, kWon, kLost };

// The servers whose majority decides. Pure arithmetic; knows nothing of logs or messages.
class VoterSet {
 public:
  explicit VoterSet(std::vector<ServerId> voters);

  const std::vector<ServerId>& members() const { return members_; }  // ascending
  size_t size() const { return members_.size(); }
  size_t majority() const { return members_.size() / 2 + 1; }
  bool Contains(ServerId server) const;

  // The largest value that a majority has reached. `values`: one per voter, in any order; 0 for a
  // voter that doesn't count, which never makes a majority smaller.
  uint64_t ReachedByMajority(std::vector<uint64_t> values) const;

  VoteResult Result(size_t granted, size_t refused) const;

 private:
  std::vector<ServerId> members_;
};

}  // namespace bellwether::coord::raft

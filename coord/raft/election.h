#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/random.h"
#include "coord/raft/message.h"
#include "coord/raft/quorum.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// Counts ticks towards a random timeout of [n, 2n) ticks (paper section 5.2), and apart from it the
// ticks since a leader was heard: a granted vote restarts the first only (R12).
class ElectionTimer {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  ElectionTimer(uint32_t election_timeout_ticks, base::Random& random);

  void Tick();
  // Draws a new timeout.
  void Restart();
  void OnLeaderHeard();
  // The leader is probably gone: its lease ends, and the timeout at most `ticks` from now. Until a
  // leader is heard.
  void OnLeaderLost(uint64_t ticks);

  bool Expired() const { return elapsed_ >= timeout_; }
  // Whether a leader was heard so recently that no vote may be given (thesis section 4.2.3).
  bool InLease() const { return !leader_lost_ && since_leader_ < election_timeout_ticks_; }
  // kNever before the first one: a start is no contact.
  uint64_t ticks_since_leader() const { return since_leader_; }

 private:
  uint32_t election_timeout_ticks_;
  base::Random* random_;
  uint64_t elapsed_ = 0;
  uint64_t timeout_ = 0;
  uint64_t since_leader_ = kNever;
  bool leader_lost_ = false;
};

// The answers to one campaign; each server's first one counts.
class VoteTally {
 public:
  void Clear();
  void Record(ServerId server, bool granted);
  VoteResult Result(const VoterSet& voters) const;

 private:
  std::vector<ServerId> granted_;
  std::vector<ServerId> refused_;
};

enum class VoteDecision {
  kIgnore,  // as if the request had not arrived: not even its term is adopted
  kRefuse,
  kGrant,
};

// What of the receiver a vote depends on.
struct VoterView {
  Term term;  // before the request's term is adopted
  ServerId vote;
  Standing standing = Standing::kVoter;
  ServerId leader;        // known leader of `term`; 0 = none
  bool in_lease = false;  // that leader was heard within an election timeout, or is this server
  LogIndex last_index;
  Term last_term;
};

// Votes and pre-votes: paper sections 5.2, 5.4.1, thesis sections 3.10, 4.2.3, 9.6.
VoteDecision DecideVote(ServerId candidate, const VoteRequest& request, const VoterView& view);

}  // namespace bellwether::coord::raft

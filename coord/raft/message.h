#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "coord/raft/membership.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// RequestVote (paper section 5.2) and, with `pre_vote`, the question whether it would succeed
// (thesis section 9.6), which changes nothing at the receiver.
struct VoteRequest {
  bool pre_vote = false;
  Term campaign_term;  // term to be elected in: the message's term, or one more with pre_vote
  LogIndex last_index;  // of the candidate's log
  Term last_term;       // of the entry at last_index; 0 for an empty log
  // The leader told the candidate to stand: the lease doesn't shut it out (thesis section 4.2.3).
  bool leadership_transfer = false;
};

// What a server's disk has room for. The core carries it for its owner, and neither sets nor heeds
// it.
enum class DiskRoom : uint8_t {
  kAll = 0,
  kUpkeep = 1,   // not for clients' data
  kNothing = 2,  // commands from the leader are not taken
};

struct VoteResponse {
  bool pre_vote = false;  // as in the request
  Term campaign_term;     // as in the request
  bool granted = false;
  DiskRoom disk_room = DiskRoom::kAll;  // the sender's
};

// AppendEntries (paper section 5.3). Without entries it is the heartbeat, a probe and the question
// of a read round.
struct AppendRequest {
  LogIndex prev_index;            // entry just before `entries`; 0 = they start the log
  Term prev_term;                 // its term; 0 when prev_index is 0
  std::vector<EntryPtr> entries;  // contiguous from prev_index + 1
  LogIndex commit;                // the leader's commit index
  ReadRound read_round;           // newest round asked; 0 = none yet
};

struct AppendResponse {
  bool rejected = false;  // the receiver's log does not hold (prev_index, prev_term)
  LogIndex prev_index;    // as in the request
  // Accepted: the log agrees with the leader's up to here and is durable up to here.
  LogIndex match;
  // Rejected: the largest index at or below prev_index whose term is at most prev_term, and that
  // term. Everything behind it conflicts or is missing, so that one round trip skips a whole term
  // (paper end of section 5.3).
  LogIndex hint_index;
  Term hint_term;
  ReadRound read_round;               // as in the request
  bool awaiting_readmission = false;  // sender's standing: nothing in here counts in a quorum
  base::Uuid folder_id;               // sender's data folder
  DiskRoom disk_room = DiskRoom::kAll;  // the sender's
};

// The leader's log no longer holds what the receiver needs next: this snapshot does. Carries none
// of its bytes, which the receiver's owner fetches (Ready::wanted_snapshot); until then it takes the
// place of the empty append as heartbeat and question of a read round. Answered by an
// AppendResponse with prev_index = snapshot.index, rejected while the receiver lacks it.
struct InstallSnapshot {
  SnapshotMeta snapshot;  // the leader's newest
  ReadRound read_round;   // newest round asked; 0 = none yet
};

// The leader hands over: the receiver has all of its log and stands at once (thesis section 3.10).
struct TimeoutNow {};

struct Message {
  ServerId from;
  ServerId to;
  Term term;  // the sender's current term, in every kind of message
  std::variant<VoteRequest, VoteResponse, AppendRequest, AppendResponse, InstallSnapshot, TimeoutNow>
      body;
};

}  // namespace bellwether::coord::raft

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/raft/membership.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// What is asked of the leader about who is in the ensemble. Asking again for what is so already
// changes nothing and succeeds.
struct MembershipChange {
  enum class Kind : uint8_t {
    kNone,      // only tell who is
    kAdd,       // `server` becomes a learner
    kPromote,   // learner `server` gets a vote
    kRemove,    // `server` leaves
    kTransfer,  // `server`, or the voter that has most of the log, leads
  };
  Kind kind = Kind::kNone;
  raft::ServerId server;  // 0 only for kNone and kTransfer
  std::string address;    // kAdd: "host:port" where its peers reach it
};

// A server of the ensemble as the leader sees it.
struct MemberInfo {
  raft::ServerId id;
  std::string address;  // for peers
  std::string grpc;     // advertised to clients; empty: never heard
  bool voter = false;   // else a learner; while a change is under way: what it is to be
  bool leaving = false;               // a change under way removes it
  bool active = false;                // answered within the last election timeout
  bool awaiting_readmission = false;  // its folder does not count yet
  bool needs_snapshot = false;        // what it lacks is compacted
  raft::LogIndex match;               // durable there

  friend bool operator==(const MemberInfo&, const MemberInfo&) = default;
};

// The ensemble as its leader sees it.
struct MembershipView {
  raft::Term term;
  raft::ServerId leader;
  raft::LogIndex index;       // RaftCore::membership_index
  raft::LogIndex last_index;  // of the leader's log
  bool changing = false;      // a change is under way
  std::vector<MemberInfo> members;  // ascending by id

  friend bool operator==(const MembershipView&, const MembershipView&) = default;
};

// The members after a change (not kNone, not kTransfer) of those that are to be; the same when
// nothing is to be done. Errors: NOT_FOUND (promote of an unknown one), FAILED_PRECONDITION (added
// with another address than it has; too many; the last voter), INVALID_ARGUMENT; each with a next step.
absl::StatusOr<std::vector<raft::Member>> MembersAfter(std::vector<raft::Member> members,
                                                       const MembershipChange& change);

// FAILED_PRECONDITION that explains why these members should not be the next ones of the ensemble
// that `view` shows: the voters would not have a quorum that is up, or a new voter lacks too much.
absl::Status CheckSafe(const std::vector<raft::Member>& after, const MembershipView& view);

// Whether leadership can be handed to `to` (0: to anybody). Errors: NOT_FOUND, FAILED_PRECONDITION.
absl::Status CheckTransfer(raft::ServerId to, const MembershipView& view);

}  // namespace bellwether::coord

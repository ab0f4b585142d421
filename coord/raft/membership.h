#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// A server of the ensemble, as the log names it.
struct Member {
  ServerId id;
  std::string address;  // where its peers reach it; opaque to the core
  bool voter = true;    // false: a learner, which gets the log and never counts

  friend bool operator==(const Member&, const Member&) = default;
};

// Who is in the ensemble. The newest one in a server's log holds for it, committed or not (thesis
// section 4.1). While it is joint (section 4.3) every decision needs a majority of the voters of
// `members` and one of the voters of `next`.
struct Membership {
  std::vector<Member> members;  // ascending by id, each once, at least one voter
  std::vector<Member> next;     // joint: the members to be, in the same form; else empty

  bool IsJoint() const { return !next.empty(); }
  // In either half; null when it is in none. A server in both is a voter if it is one in either.
  const Member* Find(ServerId server) const;
  bool IsVoter(ServerId server) const;
  // All servers of both halves, ascending.
  std::vector<ServerId> Servers() const;

  friend bool operator==(const Membership&, const Membership&) = default;
};

// INVALID_ARGUMENT that says what is wrong with one half.
absl::Status Validate(const std::vector<Member>& members);

// Payload of a kMembership entry and part of a snapshot's description.
std::string Encode(const Membership& membership);
// DATA_LOSS (not written by Encode, or not valid), UNIMPLEMENTED (a later format).
absl::StatusOr<Membership> DecodeMembership(std::string_view bytes);

// What a snapshot is of: the state after all entries up to `index`.
struct SnapshotMeta {
  LogIndex index;
  Term term;              // of the entry at index
  Membership membership;  // in force at index

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

}  // namespace bellwether::coord::raft

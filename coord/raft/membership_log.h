#pragma once

#include <deque>

#include "coord/raft/membership.h"
#include "coord/raft/quorum.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// The memberships that entries of the log set, by index, and the one that holds before the first of
// them. Follows every change of the log, so that a truncated entry's membership goes with it (R19).
// Owned by RaftLog. As long as the log has kMembership entries; few.
class MembershipLog {
 public:
  // `membership` holds from `index` on.
  MembershipLog(LogIndex index, Membership membership);

  const Membership& newest() const { return items_.back().membership; }
  const VoterSet& voters() const { return voters_; }  // of newest()
  // Index of the entry that set newest(), or of what the log began with.
  LogIndex newest_index() const { return items_.back().index; }
  // Whether an entry set newest(), and not what the log began with.
  bool newest_is_entry() const { return items_.back().is_entry; }

  // In force at `index`. Requires: not below what the log began with, or was compacted to.
  const Membership& At(LogIndex index) const;

  // Whether `server` has a vote in any membership from the one in force at `index` to the newest.
  // Requires: as At.
  bool IsVoterSince(LogIndex index, ServerId server) const;

  // Requires: index is above newest_index().
  void Append(LogIndex index, Membership membership);
  // Forgets `from` and everything behind it. Requires: not what the log began with.
  void Truncate(LogIndex from);
  // Nobody asks for what was in force below `index` any more.
  void CompactTo(LogIndex index);

 private:
  struct Item {
    LogIndex index;
    Membership membership;
    bool is_entry = true;
  };
  std::deque<Item> items_;  // never empty; indexes rise
  VoterSet voters_;
};

}  // namespace bellwether::coord::raft

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "coord/raft/membership.h"
#include "coord/raft/types.h"
#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"
#include "tests/support/sim_log_store.h"

namespace bellwether::sim {

// Who is in the ensemble, by the entries that say so on the servers' disks (thesis sections 4.1 to
// 4.3):
// - what is committed at an index is the same on every server
// - one vote changes at a time; a joint membership is followed by the one that it leads to
// - any majority of one membership meets any of the next
// - a change is on no disk before the one before it is committed: on those of a majority (R5, R6)
// Counts majorities by itself, and not as the product does.
class MembershipChecker {
 public:
  // `first`: of the ensemble as it forms.
  MembershipChecker(coord::raft::Membership first, Violations& violations)
      : violations_(violations), committed_{{LogIndex(0), std::move(first)}} {}

  // `disk` outlives the checker.
  void AddServer(ServerId server, const coord::SimDisk& disk) { disks_[server] = &disk; }

  // After the server applied an entry. True: it is the first to do so.
  bool OnApply(ServerId server, const coord::CommittedBatch& batch);

  // Of what any server has applied.
  const coord::raft::Membership& newest() const { return committed_.rbegin()->second; }
  // Likewise, by index; that at 0 is of the beginning.
  const std::map<LogIndex, coord::raft::Membership>& committed() const { return committed_; }

  // Looks at what no server has applied yet. `emptied`: servers that may have lost what they had.
  void CheckUnderWay(const std::set<ServerId>& emptied);

 private:
  using Membership = coord::raft::Membership;

  // Null when it is not, or no more, on the server's disk.
  coord::raft::EntryPtr EntryOn(ServerId server, LogIndex index, Term term) const;
  void OnCommitted(ServerId server, LogIndex index, const Membership& membership);
  bool IsOnMajority(const coord::raft::Entry& entry, const Membership& membership,
                    const std::set<ServerId>& emptied) const;

  Violations& violations_;
  std::map<ServerId, const coord::SimDisk*> disks_;
  LogIndex newest_;                           // applied by any server
  std::map<LogIndex, Membership> committed_;
};

}  // namespace bellwether::sim

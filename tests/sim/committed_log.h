#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coord/replica/replica.h"
#include "coord/tree/types.h"
#include "tests/sim/trace.h"
#include "tests/support/sim_log_store.h"

namespace bellwether::sim {

using coord::LogIndex;
using coord::ServerId;
using coord::Term;
using coord::tree::Zxid;

// What was committed, as the servers applied it: the truth that every answer is compared with.
// Checks while it grows that all servers apply the same (state machine safety), that a new leader
// has all of it (leader completeness), and that equal positions give equal states.
class CommittedLog {
 public:
  struct Entry {
    Term term;
    LogIndex index;
    int64_t time_ms = 0;
    std::vector<std::string> commands;
    absl::Duration first_applied;  // by any server
  };

  explicit CommittedLog(Violations& violations) : violations_(violations) {}

  // A process of the server begins, and applies from the first entry unless it is restored.
  void OnStart(ServerId server) { applied_[server] = LogIndex(); }
  void OnApply(ServerId server, const coord::CommittedBatch& batch, absl::Duration now);
  // Continues behind a snapshot.
  void OnRestored(ServerId server, LogIndex index);
  void OnState(ServerId server, LogIndex index, uint64_t digest);
  // `newest_term`: of any leader so far. A leader that hears late of its election may be behind.
  void OnLeader(ServerId server, Term term, Term newest_term, coord::LogStore& log);

  const std::vector<Entry>& entries() const { return entries_; }
  Zxid newest_zxid() const { return newest_zxid_; }
  // By index, of every index at which some server was asked.
  const std::map<LogIndex, uint64_t>& digests() const { return digests_; }
  LogIndex applied(ServerId server) const;

 private:
  Violations& violations_;
  std::vector<Entry> entries_;
  Zxid newest_zxid_;
  std::map<ServerId, LogIndex> applied_;
  std::map<LogIndex, uint64_t> digests_;
};

// Log matching: two logs that agree on an entry's term at an index agree on everything up to it.
// Compares the durable logs.
void CheckLogMatching(const std::map<ServerId, const coord::SimDisk*>& disks,
                      Violations& violations);

}  // namespace bellwether::sim

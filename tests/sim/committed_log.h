#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coord/replica/replica.h"
#include "coord/tree/types.h"

namespace bellwether::sim {

using coord::LogIndex;
using coord::ServerId;
using coord::Term;
using coord::tree::Zxid;

// What was committed, as the servers applied it: the truth that every answer is compared with, and how
// far each server is. That they all apply the same is for StateMachineChecker to see.
class CommittedLog {
 public:
  struct Entry {
    Term term;
    LogIndex index;
    int64_t time_ms = 0;
    std::vector<std::string> commands;
    absl::Duration first_applied;  // by any server
  };

  // A process of the server begins, and applies from the first entry unless it is restored.
  void OnStart(ServerId server) { applied_[server] = LogIndex(); }
  void OnApply(ServerId server, const coord::CommittedBatch& batch, absl::Duration now);
  // A server's state is that of `zxid`.
  void OnState(Zxid zxid) { newest_zxid_ = std::max(newest_zxid_, zxid); }
  // Continues behind a snapshot.
  void OnRestored(ServerId server, LogIndex index) { applied_[server] = index; }

  const std::vector<Entry>& entries() const { return entries_; }
  // Of any server's state, ever.
  Zxid newest_zxid() const { return newest_zxid_; }
  LogIndex applied(ServerId server) const;

 private:
  std::vector<Entry> entries_;
  Zxid newest_zxid_;
  std::map<ServerId, LogIndex> applied_;
};

}  // namespace bellwether::sim

// What a follower takes from its leader: entries, and word of a snapshot in place of entries that
// are compacted there.

#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "coord/raft/leadership.h"
#include "coord/raft/raft_core.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

AppendResponse RaftCore::MakeResponse() const {
  AppendResponse response;
  response.folder_id = options_.folder_id;
  response.awaiting_readmission = hard_state_.standing == Standing::kAwaitingReadmission;
  return response;
}

// Whether the message is from the leader of the term, which is then the one this server follows.
bool RaftCore::HearLeader(const Message& message, AppendResponse& response) {
  if (message.term < hard_state_.term) {
    // Only its term matters: it ends the old leader's term (paper section 5.1).
    response.rejected = true;
    Send(message.from, response, Leaves::kAtOnce);
    return false;
  }
  const bool same_term = message.term == hard_state_.term;
  if (same_term && leader_ != ServerId(0) && leader_ != message.from) {
    Fail(absl::InternalError(fmt::format("servers {} and {} both lead term {}", leader_,
                                         message.from, message.term)));
    return false;
  }
  BecomeFollower(message.term, message.from);
  timer_.OnLeaderHeard();
  return true;
}

void RaftCore::OnAppendRequest(const Message& message, const AppendRequest& request) {
  AppendResponse response = MakeResponse();
  response.prev_index = request.prev_index;
  response.read_round = request.read_round;
  if (!HearLeader(message, response)) return;
  // What is compacted here is committed, and so in the log of every later leader: it matches.
  const bool compacted = request.prev_index < log_.base_index();
  if (!compacted && log_.TermAt(request.prev_index) != request.prev_term) {
    Reject(message.from, request.prev_index, request.prev_term, response);
    return;
  }
  if (absl::Status merged = log_.Merge(request.entries); !merged.ok()) {
    Fail(std::move(merged));
    return;
  }
  const LogIndex verified =
      std::max(request.prev_index + request.entries.size(), log_.base_index());
  const LogIndex agreed = request.commit > verified && MUTANT(14) ? log_.last_index() : verified;
  log_.CommitTo(std::min(request.commit, agreed));
  Accept(message.from, verified, !request.entries.empty(), response);
}

// Entries are acknowledged when they are durable. An empty append is answered at once, with what is
// durable by now, so that heartbeats and read rounds don't wait for the disk.
void RaftCore::Accept(ServerId leader, LogIndex verified, bool has_entries,
                      AppendResponse response) {
  const bool wait = has_entries && log_.durable() < verified;
  response.match = wait ? verified : std::min(verified, log_.durable());
  Send(leader, response, wait && !MUTANT(7) ? Leaves::kAfterEntries : Leaves::kAtOnce);
}

void RaftCore::Reject(ServerId leader, LogIndex index, Term term, AppendResponse response) {
  response.rejected = true;
  response.hint_index = log_.LastAtMost(index, term);
  response.hint_term = *log_.TermAt(response.hint_index);
  Send(leader, response, Leaves::kAtOnce);
}

// Snapshots.

void RaftCore::OnInstallSnapshot(const Message& message, const InstallSnapshot& request) {
  const SnapshotMeta& snapshot = request.snapshot;
  AppendResponse response = MakeResponse();
  response.prev_index = snapshot.index;
  response.read_round = request.read_round;
  if (!HearLeader(message, response)) return;
  // A snapshot is of committed entries only: a log that has its last one has them all.
  if (log_.TermAt(snapshot.index) == snapshot.term) log_.CommitTo(snapshot.index);
  if (snapshot.index <= log_.commit()) {
    Accept(message.from, snapshot.index, /*has_entries=*/false, response);
  } else {
    wanted_snapshot_ = WantedSnapshot{message.from, snapshot};
    Reject(message.from, snapshot.index, snapshot.term, response);
  }
}

void RaftCore::OnSnapshotTaken(const SnapshotMeta& snapshot, LogIndex compact_to) {
  if (failure_.ok()) log_.OnSnapshotTaken(snapshot, compact_to);
}

void RaftCore::OnSnapshotReceived(const SnapshotMeta& snapshot) {
  // A leader has everything that is committed, and learns by itself that it is.
  if (!failure_.ok() || leadership_ != nullptr || snapshot.index <= log_.commit()) return;
  if (log_.TermAt(snapshot.index) == snapshot.term) {
    log_.CommitTo(snapshot.index);
    return;
  }
  const bool later_term = snapshot.term > hard_state_.term;
  if (later_term || role_ != Role::kFollower) {
    BecomeFollower(std::max(snapshot.term, hard_state_.term), ServerId(0));
  }
  log_.Install(snapshot);
  if (leader_ == ServerId(0)) return;
  AppendResponse response = MakeResponse();
  response.prev_index = response.match = snapshot.index;
  Send(leader_, response, Leaves::kAfterEntries);
}

void RaftCore::OnSnapshotFailed() {
  wanted_snapshot_.reset();
  told_wanted_snapshot_.reset();
}

}  // namespace bellwether::coord::raft

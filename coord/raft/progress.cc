#include "coord/raft/progress.h"

#include <algorithm>

#include "base/mutant.h"

namespace bellwether::coord::raft {

bool Progress::Identify(const AppendResponse& response, LogIndex next) {
  if (response.folder_id == folder_id_) {
    // A folder is readmitted once and for ever.
    if (response.awaiting_readmission && !awaiting_) return false;
    awaiting_ = response.awaiting_readmission;
    return true;
  }
  if (folder_id_.IsNil()) {
    folder_id_ = response.folder_id;
    awaiting_ = response.awaiting_readmission;
    return true;
  }
  if (!response.awaiting_readmission) return false;
  *this = Progress(next);
  folder_id_ = response.folder_id;
  awaiting_ = true;
  return true;
}

void Progress::OnHeard(uint64_t now, ReadRound round) {
  heard_at_ = now;
  round_ = std::max(round_, round);
}

void Progress::OnAccepted(LogIndex prev_index, LogIndex match) {
  match_ = std::max(match_, match);
  if (!MUTANT(27)) window_.ReleaseThrough(match_);
  const LogIndex agreed = std::max(prev_index, match_);
  const bool probe_succeeded = state_ == State::kProbe && agreed + 1 >= next_;
  const bool snapshot_arrived = state_ == State::kSnapshot && agreed + 1 > next_;
  if (probe_succeeded || snapshot_arrived) {
    state_ = State::kReplicate;
    probe_sent_ = false;
  }
  if (snapshot_arrived) next_ = agreed + 1;
  next_ = std::max(next_, match_ + 1);
}

void Progress::OnCompacted() {
  if (state_ == State::kSnapshot) return;
  state_ = State::kSnapshot;
  probe_sent_ = false;
  window_.Clear();
}

void Progress::OnRejected(LogIndex prev_index, LogIndex agreed) {
  if (prev_index <= match_) return;  // older than an acceptance
  if (state_ == State::kSnapshot) return;  // it is on its way there
  if (state_ == State::kProbe && prev_index + 1 != next_) return;
  if (prev_index >= next_) return;
  state_ = State::kProbe;
  probe_sent_ = false;
  window_.Clear();
  next_ = std::max(match_, std::min(agreed, prev_index - 1)) + 1;
}

size_t Progress::Room(size_t inflight_appends_max, size_t inflight_bytes_max) const {
  if (state_ != State::kReplicate || window_.count() >= inflight_appends_max) return 0;
  return inflight_bytes_max - std::min(inflight_bytes_max, window_.bytes());
}

void Progress::OnEntriesSent(LogIndex last, size_t bytes) {
  window_.Add(last, bytes);
  next_ = last + 1;
}

}  // namespace bellwether::coord::raft

#include "coord/raft/pending_reads.h"

#include "base/mutant.h"

namespace bellwether::coord::raft {

void PendingReads::Add(ReadId id, std::optional<LogIndex> commit) {
  if (!commit.has_value()) {
    unplaced_.push_back(id);
    return;
  }
  if (!open_) {
    if (newest_ == ReadRound() || !MUTANT(2)) ++newest_;
    open_ = true;
  }
  placed_.push_back(Read{id, *commit, newest_});
}

void PendingReads::OnFirstCommit(LogIndex commit) {
  for (ReadId id : unplaced_) Add(id, commit);
  unplaced_.clear();
}

void PendingReads::Confirm(ReadRound round, std::vector<ReadResult>& results) {
  while (!placed_.empty() && placed_.front().round <= round) {
    results.push_back(ReadResult{placed_.front().id, placed_.front().index});
    placed_.pop_front();
  }
}

std::vector<ReadId> PendingReads::TakeAll() {
  std::vector<ReadId> ids;
  for (const Read& read : placed_) ids.push_back(read.id);
  ids.insert(ids.end(), unplaced_.begin(), unplaced_.end());
  placed_.clear();
  unplaced_.clear();
  return ids;
}

}  // namespace bellwether::coord::raft

#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "coord/raft/ready.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// Reads of one leader's term that wait for a round: a quorum's word, given after the read was asked
// for, that this server is still leader (thesis section 6.4). Reads asked for before the round's
// messages are made share it. Bounded by its owner through size().
class PendingReads {
 public:
  // `commit`: the leader's commit index, at or above an entry of its own term; absent = there is
  // none yet, and the read waits for OnFirstCommit (R1).
  void Add(ReadId id, std::optional<LogIndex> commit);
  void OnFirstCommit(LogIndex commit);

  // The round that messages made now ask for; answers to it confirm every read added so far.
  ReadRound newest_round() const { return newest_; }
  // The messages of the newest round were made: a read added from now on starts another one.
  void CloseRound() { open_ = false; }

  // A majority has answered `round` or a later one: moves what that confirms to `results`.
  void Confirm(ReadRound round, std::vector<ReadResult>& results);

  // Ids of all reads, which are forgotten.
  std::vector<ReadId> TakeAll();

  size_t size() const { return unplaced_.size() + placed_.size(); }
  bool HasUnconfirmed() const { return !placed_.empty(); }

 private:
  struct Read {
    ReadId id;
    LogIndex index;
    ReadRound round;
  };
  std::vector<ReadId> unplaced_;  // no entry of the leader's term is committed yet
  std::deque<Read> placed_;       // rounds rise
  ReadRound newest_;
  bool open_ = false;  // newest_ exists and its messages were not made yet
};

}  // namespace bellwether::coord::raft

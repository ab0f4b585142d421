#pragma once

#include <cstddef>
#include <cstdint>

#include "coord/raft/byte_window.h"
#include "coord/raft/message.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// What a leader knows of one other server, and what it may send it next. Lives for one term of
// leadership; holds no entries; its window is bounded by the two inflight options.
//
// Invariants:
// - match < next; what is in the window lies between them
// - match, heard and acknowledged round come from the folder last named by the server
//
// kProbe: it is not known where the logs agree. One empty append at a time asks, and each refusal
// moves `next` back by a whole term. kReplicate: they agree below `next`, which runs ahead of the
// answers as far as the window allows; a refusal (something was lost) leads back to kProbe.
// kSnapshot: the log no longer holds the entry before `next`; the server is told of the snapshot
// until it says that it agrees at or above `next`.
class Progress {
 public:
  enum class State { kProbe, kReplicate, kSnapshot };

  explicit Progress(LogIndex next) : next_(next) {}

  // Whether an answer comes from the server as it is now. A folder that awaits readmission replaces
  // the one known before, and everything that was counted for that one is forgotten; an answer of a
  // replaced folder, or one older than the folder's readmission, is false: drop it.
  // `next`: where to start probing a new folder.
  bool Identify(const AppendResponse& response, LogIndex next);

  // The server answered at tick `now` with this round.
  void OnHeard(uint64_t now, ReadRound round);
  // The logs agree up to `prev_index`, and are durable there up to `match`.
  void OnAccepted(LogIndex prev_index, LogIndex match);
  // The entry before `next` is compacted.
  void OnCompacted();
  // They differ at `prev_index`; by the answer's hint they may agree up to `agreed`.
  void OnRejected(LogIndex prev_index, LogIndex agreed);

  // Bytes of entries that may be sent now; 0 = none.
  size_t Room(size_t inflight_appends_max, size_t inflight_bytes_max) const;
  // An append of entries up to `last` is on its way.
  void OnEntriesSent(LogIndex last, size_t bytes);
  // A probe, heartbeat or word of a snapshot is on its way.
  void OnEmptySent() { probe_sent_ = true; }
  bool NeedsProbe() const { return state_ != State::kReplicate && !probe_sent_; }

  // Whether the server's word makes quorums (see Standing).
  bool Counts() const { return !awaiting_; }
  uint64_t CountedMatch() const { return Counts() ? match_.value() : 0; }
  uint64_t CountedRound() const { return Counts() ? round_.value() : 0; }
  uint64_t CountedTick() const { return Counts() ? heard_at_ : 0; }

  State state() const { return state_; }
  LogIndex match() const { return match_; }
  LogIndex next() const { return next_; }
  const ByteWindow& window() const { return window_; }
  bool awaiting() const { return awaiting_; }
  const base::Uuid& folder_id() const { return folder_id_; }
  uint64_t heard_at() const { return heard_at_; }

 private:
  State state_ = State::kProbe;
  LogIndex match_;  // durable there and equal to this log
  LogIndex next_;   // first entry not sent yet
  ByteWindow window_;
  bool probe_sent_ = false;

  base::Uuid folder_id_;  // nil = it has not answered in this term
  bool awaiting_ = false;
  ReadRound round_;         // newest it answered
  uint64_t heard_at_ = 0;   // tick of the leadership
};

}  // namespace bellwether::coord::raft

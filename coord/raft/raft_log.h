#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/raft/byte_window.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/membership_log.h"
#include "coord/raft/term_runs.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// The log as Raft sees it: what is compacted up to its base, a part on disk (read through LogReader)
// and a tail in memory that holds at least everything not yet durable. Knows nothing of roles, terms
// in force or what entries mean, except that it keeps the memberships that entries set.
// Owned by RaftCore; not thread-safe. Bounded by tail_bytes_max plus what is not yet durable.
//
// Invariants:
// - base <= snapshot <= handed_out; durable <= written <= last index; the tail covers (durable, last]
// - handed_out <= commit <= last index, handed_out <= durable; commit never falls
// - nothing at or below commit is changed; it is removed only by compaction below the snapshot
class RaftLog {
 public:
  // What goes to disk with the next Ready.
  struct Write {
    std::optional<SnapshotMeta> install;  // the log is emptied and continues behind this snapshot
    LogIndex truncate_from;  // 0 = nothing to remove
    std::vector<EntryPtr> entries;
  };

  // `start`: the newest snapshot, or index 0 and the membership to begin with. Errors: DATA_LOSS (the
  // log does not continue `start`: see Options::snapshot); those of DecodeMembership; the reader's.
  static absl::StatusOr<RaftLog> Load(LogReader& reader, SnapshotMeta start,
                                      size_t tail_bytes_max);

  // The newest snapshot; index 0 = none.
  const SnapshotMeta& snapshot() const { return snapshot_; }
  // The last compacted entry; only its term is known. 0 = nothing is compacted.
  LogIndex base_index() const { return runs_.base_index(); }
  const MembershipLog& memberships() const { return memberships_; }
  LogIndex last_index() const { return runs_.last_index(); }
  Term last_term() const { return runs_.last_term(); }
  LogIndex commit() const { return commit_; }
  LogIndex durable() const { return durable_; }
  LogIndex handed_out() const { return handed_out_; }

  std::optional<Term> TermAt(LogIndex index) const { return runs_.TermAt(index); }
  LogIndex LastAtMost(LogIndex index, Term term) const { return runs_.LastAtMost(index, term); }

  // Requires: entry follows the last one; a kMembership entry's payload decodes.
  void Append(EntryPtr entry);

  // A leader's entries, which follow an entry that matches: what is there already is skipped, the
  // first conflict removes everything from it on (paper section 5.3).
  // Errors, nothing changed: DATA_LOSS when the conflict is with a committed entry; those of
  // DecodeMembership.
  absl::Status Merge(const std::vector<EntryPtr>& entries);

  // Raises commit. Requires: index <= last index; lower than before is ignored.
  void CommitTo(LogIndex index);

  // The owner has this snapshot, and entries up to compact_to are gone from its disk. An older one
  // than snapshot() is ignored. Requires: compact_to <= snapshot.index <= handed_out().
  void OnSnapshotTaken(const SnapshotMeta& snapshot, LogIndex compact_to);

  // Everything in the log is replaced by the snapshot, which counts as committed and handed out.
  // Requires: snapshot.index > commit(), and the log does not have snapshot.term there.
  void Install(const SnapshotMeta& snapshot);

  // Entries from `begin` up to `last` inclusive, at least one, cut short at bytes_max.
  // Requires: base < begin <= last <= last index. Errors: the reader's.
  absl::StatusOr<std::vector<EntryPtr>> Read(LogIndex begin, LogIndex last, size_t bytes_max) const;

  bool HasUnwritten() const { return install_ || written_ < last_index(); }
  // What was not yet given to a Ready.
  Write TakeUnwritten(ReadyId ready);
  void OnPersisted(ReadyId ready);

  // Committed, durable here and not yet handed out. Empty while `unapplied_bytes_max` is used up.
  absl::StatusOr<std::vector<EntryPtr>> TakeCommitted(size_t unapplied_bytes_max);
  void OnApplied(LogIndex index);

  void CheckInvariants() const;

 private:
  RaftLog(LogReader& reader, SnapshotMeta start, TermRuns runs, MembershipLog memberships,
          size_t tail_bytes_max);

  LogIndex tail_first() const { return last_index() - tail_.size() + 1; }
  void Truncate(LogIndex from);
  void ShrinkTail();

  LogReader* reader_;
  size_t tail_bytes_max_;

  SnapshotMeta snapshot_;
  TermRuns runs_;
  MembershipLog memberships_;
  std::deque<EntryPtr> tail_;  // ends at the last index
  size_t tail_bytes_ = 0;

  LogIndex commit_;
  LogIndex handed_out_;  // given to the owner to apply
  ByteWindow unapplied_;

  LogIndex written_;  // given to a Ready
  LogIndex durable_;  // no crash from now on can lose or change an entry up to here
  LogIndex truncate_from_;
  bool install_ = false;  // snapshot_ is still to be given to a Ready, to replace the log on disk
  // Readys with entries not yet reported durable. A truncation lowers their `last`, so that a late
  // report never covers entries that took the place of those it wrote (R16), even when the same
  // entry came back in the meantime and a later write is still to remove and rewrite it.
  struct Writing {
    ReadyId ready;
    LogIndex last;
  };
  std::deque<Writing> writing_;
};

}  // namespace bellwether::coord::raft

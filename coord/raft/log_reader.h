#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// The part of the log that is on disk, as the core reads it. Implemented by the owner of the core;
// outlives it. Called only from inside calls of RaftCore, while a later Ready may be in the act of
// being written: the core asks only for entries that no outstanding Ready cuts off, resets or
// rewrites, and for none that it was told are compacted (RaftCore::OnSnapshotTaken).
//
// A missing or damaged entry is an error (DATA_LOSS), never an absent one (R22); it stops the core
// (RaftCore::status()).
class LogReader {
 public:
  virtual ~LogReader() = default;

  // Index of the first and last entry on disk; (1, 0) for an empty log, (i + 1, i) for one that was
  // reset by the installation of a snapshot of index i. Read once, at creation.
  virtual LogIndex FirstIndex() const = 0;
  virtual LogIndex LastIndex() const = 0;

  // Term of the entry at `index`, FirstIndex() <= index <= LastIndex(). Used at creation only.
  virtual absl::StatusOr<Term> TermAt(LogIndex index) = 0;

  // All kMembership entries on disk, in order. Read once, at creation.
  virtual std::vector<EntryPtr> MembershipEntries() = 0;

  // Entries [begin, end) in order, cut short so that the sum of EntryBytes stays at or below
  // bytes_max, but at least one. Requires: begin < end.
  virtual absl::StatusOr<std::vector<EntryPtr>> Read(LogIndex begin, LogIndex end,
                                                     size_t bytes_max) = 0;
};

}  // namespace bellwether::coord::raft

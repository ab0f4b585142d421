#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "coord/raft/membership.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

struct Options {
  ServerId self;
  Membership membership;  // of a new ensemble: holds until the log or `snapshot` names another one

  // Identity of this server's data folder: a new one whenever the folder was emptied or must be
  // fetched anew, so that a folder never returns to kAwaitingReadmission once it was a voter.
  base::Uuid folder_id;

  // The newest durable snapshot, which the state machine starts from; it counts as committed. Index
  // 0 = none. The log continues it: its first entry is at or below snapshot.index + 1, and its last
  // at or above snapshot.index, where it has snapshot.term. The owner sees to that: a log that does
  // not is from before the snapshot was installed, and is to be reset to begin behind it (R18).
  SnapshotMeta snapshot;

  // A follower stands for election after a random [n, 2n) ticks without a leader, refuses votes for
  // n ticks after it heard one, and a leader steps down after n ticks without a quorum.
  uint32_t election_timeout_ticks = 15;
  uint32_t heartbeat_ticks = 5;  // less than election_timeout_ticks

  // Entries of one append message; a larger single entry travels alone.
  size_t append_bytes_max = 1 << 20;
  // Appends with entries on their way to one follower; whichever bound is reached first.
  size_t inflight_appends_max = 256;
  size_t inflight_bytes_max = 16 << 20;

  // Commands proposed and not yet committed; beyond it Propose refuses. A single proposal is
  // accepted when nothing else is uncommitted.
  size_t uncommitted_bytes_max = 64 << 20;
  // Committed entries handed out by Ready and not yet reported by OnApplied.
  size_t unapplied_bytes_max = 16 << 20;
  // Entries kept in memory although they are on disk, for followers and for applying.
  size_t tail_bytes_max = 16 << 20;

  // Reads asked for and not yet confirmed; beyond it RequestRead refuses.
  size_t pending_reads_max = 65536;

  // A wiped server is proposed for readmission when it lacks at most this many entries.
  uint64_t readmission_lag_entries = 1024;
};

// INVALID_ARGUMENT that names the wrong option.
absl::Status Validate(const Options& options);

}  // namespace bellwether::coord::raft

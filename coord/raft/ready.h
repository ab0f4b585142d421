#pragma once

#include <optional>
#include <vector>

#include "coord/raft/message.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

struct SoftState {
  Role role = Role::kFollower;
  ServerId leader;  // 0 = unknown
  Term term;

  friend bool operator==(const SoftState&, const SoftState&) = default;
};

struct ReadResult {
  ReadId id;
  LogIndex index;  // the state machine is fresh enough once it has applied this entry
};

// A snapshot that this server needs, as its leader said it.
struct WantedSnapshot {
  ServerId from;
  SnapshotMeta snapshot;

  friend bool operator==(const WantedSnapshot&, const WantedSnapshot&) = default;
};

// All that a RaftCore wants done, taken by RaftCore::TakeReady(). Readys are carried out in the
// order of their ids, in these steps; a next Ready may be taken before an earlier one is persisted:
//
// 1. `messages` may leave at once.
// 2. `install`, `truncate_from`, `entries`, `hard_state` become durable together, by one synced
//    write; `install` means for the log that it is emptied first and continues behind the snapshot.
// 3. `messages_after_persist` leave, and OnPersisted(id) is called.
// 4. `install` replaces the state machine by the snapshot, and takes the place of everything handed
//    out before and not yet applied; then OnApplied(install->index).
// 5. `committed` is applied in order, at any time from now on, then OnApplied(last index).
// 6. `reads` are answered once their index is applied; `lost_reads` fail.
// 7. `wanted_snapshot` is fetched from its server, however long that takes, and made durable as a
//    whole; then OnSnapshotReceived, or OnSnapshotFailed when it can't be had.
struct Ready {
  ReadyId id;

  std::vector<Message> messages;

  // A snapshot reported by OnSnapshotReceived takes effect: it is in the owner's store, durable,
  // since before this Ready, so that a crash at any point leaves either the old log with it, which
  // the next start resets, or the new one (R17, R18).
  std::optional<SnapshotMeta> install;

  // Everything on disk (or about to be, by an earlier Ready) from this index on is removed before
  // `entries` are added. 0 = nothing to remove.
  LogIndex truncate_from;
  std::vector<EntryPtr> entries;        // contiguous
  std::optional<HardState> hard_state;  // absent = unchanged

  // May leave when this Ready and all before it are durable.
  std::vector<Message> messages_after_persist;

  // Newly committed entries, contiguous with those of the Ready before; durable on this server.
  // Their bytes are bounded by Options::unapplied_bytes_max; the rest follows after OnApplied.
  std::vector<EntryPtr> committed;

  std::vector<ReadResult> reads;
  std::vector<ReadId> lost_reads;  // leadership was lost first: nothing is known, ask again

  // Absent = unchanged. The leader's newest snapshot may change while an older one is on its way:
  // that one is as welcome, if its server still has it.
  std::optional<WantedSnapshot> wanted_snapshot;

  std::optional<SoftState> soft_state;  // absent = unchanged

  // Whether step 2 has anything to write.
  bool NeedsPersist() const {
    return install.has_value() || !entries.empty() || hard_state.has_value();
  }
};

}  // namespace bellwether::coord::raft

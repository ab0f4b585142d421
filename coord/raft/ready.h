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

// All that a RaftCore wants done, taken by RaftCore::TakeReady(). Readys are carried out in the
// order of their ids, in these steps; a next Ready may be taken before an earlier one is persisted:
//
// 1. `messages` may leave at once.
// 2. `truncate_from`, `entries`, `hard_state` become durable together, by one synced write.
// 3. `messages_after_persist` leave, and OnPersisted(id) is called.
// 4. `committed` is applied in order, at any time from now on, then OnApplied(last index).
// 5. `reads` are answered once their index is applied; `lost_reads` fail.
struct Ready {
  ReadyId id;

  std::vector<Message> messages;

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

  std::optional<SoftState> soft_state;  // absent = unchanged

  // Whether step 2 has anything to write.
  bool NeedsPersist() const { return !entries.empty() || hard_state.has_value(); }
};

}  // namespace bellwether::coord::raft

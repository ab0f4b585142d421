#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// What one round of the driver makes durable, all or nothing, in the order of the fields. An empty
// one is allowed.
struct PersistRequest {
  // The log is emptied and begins behind this index: a snapshot of it was installed, durable since
  // before this request (R17). 0 = not. Requires: the log began at or before the entry behind it.
  raft::LogIndex reset_to;
  raft::LogIndex truncate_from;          // everything from here on is removed; 0 = nothing
  // Contiguous, from the end of what is left; terms never fall, nor rise above the hard state's.
  std::vector<raft::EntryPtr> entries;
  // The log begins behind this index, when it does not yet. 0 = nothing. Requires: a durable
  // snapshot covers it (R29), and the log reaches it. The space comes back later, in large pieces.
  raft::LogIndex compact_to;
  std::optional<raft::HardState> hard_state;  // absent = unchanged
  std::optional<std::string> formation;       // what Formation remembers; absent = unchanged
};

// How much free disk a log keeps from entries: a reserve, for what must always be written (votes,
// first entries of leaders, compaction).
enum class EntryKind : uint8_t {
  kGrowth,  // clients' data; none below the reserve
  kUpkeep,  // sessions begin, go on and end, data is deleted: may use the upper half of the reserve, so
            // that on a nearly full disk clients still come, read and make room
};

// The durable log and hard state of one server. Reads (raft::LogReader) see what Persist was told,
// at once.
// Fault model: a crash keeps everything whose `done` was called with ok, and any prefix of the
// requests after that, each whole; an error from a write or sync is final: the store refuses all
// further writes and the server stops. What was durable is found again or the open fails; it is
// never silently shorter.
// Threads: called from the replica's executor only; `done` is called on that executor, in order,
// never from inside Persist.
class LogStore : public raft::LogReader {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  ~LogStore() override = default;

  // What was durable when the store was opened. nullopt: no hard state was ever stored, so this
  // folder never had a part in an ensemble.
  virtual std::optional<raft::HardState> InitialHardState() const = 0;

  // Likewise of the formation; empty when none was ever stored.
  virtual std::string InitialFormation() const = 0;

  // Several may be outstanding; they become durable in order and may share one sync.
  virtual void Persist(PersistRequest request, Done done) = 0;

  // OK when there is room on the disk for more entries of a kind; else RESOURCE_EXHAUSTED.
  virtual absl::Status RoomFor(EntryKind kind) const = 0;

  // How long the write under way has taken by now; zero when all that was asked is durable. What is
  // asked meanwhile begins when that one ends. A leader whose disk hangs hands over by it.
  virtual absl::Duration WritingFor() const = 0;

  // Size of the log on disk, in bytes, roughly.
  virtual uint64_t Bytes() const = 0;
};

}  // namespace bellwether::coord

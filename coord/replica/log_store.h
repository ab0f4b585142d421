#pragma once

#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "coord/raft/log_reader.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// What one round of the driver makes durable, all or nothing.
struct PersistRequest {
  std::optional<raft::HardState> hard_state;
  // Not empty: the stored log is cut before the first entry's index, then these are appended.
  std::vector<raft::Entry> entries;
};

// The durable log and hard state of one server. Reads (raft::LogReader) see what Persist was
// told, at once.
// Fault model: a crash keeps everything whose `done` was called with ok, and any prefix of the
// requests after that, each whole; an error from a write or sync is final: the store refuses all
// further writes and the server stops.
// Threads: called from the replica's executor only; `done` is called on that executor, in order.
class LogStore : public raft::LogReader {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  ~LogStore() override = default;

  // What was durable when the store was opened.
  virtual raft::HardState InitialHardState() const = 0;

  // Several may be outstanding; they become durable in order and may share one sync.
  virtual void Persist(PersistRequest request, Done done) = 0;

  // OK when there is room to grow the log; RESOURCE_EXHAUSTED below the reserve of free space.
  virtual absl::Status RoomToGrow() const = 0;

  // Size of the log on disk, in bytes.
  virtual uint64_t Bytes() const = 0;
};

}  // namespace bellwether::coord

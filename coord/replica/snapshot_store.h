#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/raft/membership.h"

namespace bellwether::coord {

// A snapshot that is kept whole and durable.
struct SnapshotInfo {
  raft::SnapshotMeta meta;
  uint64_t file_bytes = 0;  // as it is on disk and travels
};

// A snapshot in the making. Destroyed without Commit it leaves nothing behind.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;

  // One record of the state machine, at most 8 MiB; opaque here, given back in the same order.
  virtual absl::Status Append(std::string_view record) = 0;

  // Durable and in its place; older ones than the newest two are removed. Call once, last.
  virtual absl::StatusOr<SnapshotInfo> Commit() = 0;
};

// The records of a snapshot, one by one, checked as they come.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;

  // nullopt after the last one, when the whole snapshot was as it was written. The view is good
  // until the next call. DATA_LOSS: damaged.
  virtual absl::StatusOr<std::optional<std::string_view>> Next() = 0;
};

// The snapshots of one server, and the one it receives from another. A snapshot is named by (index,
// term); its bytes are the same on every server that got it from the same one.
// Fault model: what Commit and FinishReceived said OK to is found again after a crash, whole; what
// was begun is found as far as it got (received) or not at all (written). Damage is found by the
// checksums and is an error, never a shorter snapshot.
// Threads: every call blocks on the disk; all come from one executor, the snapshot executor, but
// Newest from any thread; a SnapshotReader may be used and destroyed on another one.
class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;

  // The one with the highest index; nullopt: none.
  virtual std::optional<SnapshotInfo> Newest() const = 0;

  virtual absl::StatusOr<std::unique_ptr<SnapshotWriter>> Create(
      const raft::SnapshotMeta& meta) = 0;

  // Reads a whole snapshot and checks its sums, unless `stopped` says before a piece of it that
  // nobody waits: CANCELLED. DATA_LOSS: it is damaged, the disk can't read it or, the newest, is
  // gone; it was set aside, and is no longer kept. UNAVAILABLE: it can't be read now, which says
  // nothing about it. INTERNAL: damaged, and can't be set aside. NOT_FOUND: no longer kept.
  virtual absl::Status Check(raft::LogIndex index, raft::Term term,
                             absl::FunctionRef<bool()> stopped) = 0;

  // NOT_FOUND: no longer kept.
  virtual absl::StatusOr<std::unique_ptr<SnapshotReader>> Open(raft::LogIndex index,
                                                               raft::Term term) = 0;

  // Bytes of the file from `offset`, at most bytes_max; fewer only at its end. NOT_FOUND as above.
  virtual absl::StatusOr<std::string> ReadBytes(raft::LogIndex index, raft::Term term,
                                                uint64_t offset, size_t bytes_max) = 0;

  // How much of a snapshot was received so far; 0 when nothing. Receiving another one forgets it.
  virtual uint64_t ReceivedBytes(raft::LogIndex index, raft::Term term) = 0;

  // Adds bytes at `offset`, which must be what ReceivedBytes says.
  virtual absl::Status AppendReceived(raft::LogIndex index, raft::Term term, uint64_t offset,
                                      std::string_view bytes) = 0;

  // All was received: checks every record, makes it durable and the newest. DATA_LOSS: it is not
  // whole or not of (index, term); what was received is forgotten, so that it is fetched anew.
  virtual absl::StatusOr<SnapshotInfo> FinishReceived(raft::LogIndex index, raft::Term term) = 0;
};

}  // namespace bellwether::coord

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "coord/tree/state_machine.h"

namespace bellwether::coord {

// What a snapshot file holds, in plain values.
struct SnapshotSummary {
  uint64_t index = 0;  // of the log's entry that it ends with
  uint64_t term = 0;   // of that entry
  int64_t zxid = 0;    // of the last command in it
  base::Uuid ensemble_id;  // nil: saved while its ensemble formed
  uint32_t feature_level = 0;
  uint64_t znodes = 0;      // the root included
  uint64_t data_bytes = 0;  // of all znodes
  uint64_t sessions = 0;
  uint64_t ephemerals = 0;
  uint64_t digest = 0;
  uint64_t file_bytes = 0;
};

struct SavedSnapshot {
  SnapshotSummary summary;
  std::unique_ptr<tree::StateMachine> state;
};

// Reads a snapshot file, one that was saved or one of a server's folder, and makes its state: all
// checksums, every record, counts and digest. Needs the memory of that state. Errors name the file:
// NOT_FOUND; DATA_LOSS (damaged); UNIMPLEMENTED (a newer release wrote it); or what reading gave.
absl::StatusOr<SavedSnapshot> LoadSnapshotFile(const std::string& path);

// That, without keeping the state.
absl::StatusOr<SnapshotSummary> VerifySavedSnapshot(const std::string& path);

}  // namespace bellwether::coord

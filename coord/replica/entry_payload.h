#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coord/raft/types.h"
#include "coord/replica/replica.h"

namespace bellwether::coord {

// Payload of an entry of type kCommands:
//   u8 format version (1) | signed varint time_ms | varint count | count x (varint length, bytes)

std::string EncodeEntryPayload(int64_t time_ms, const std::vector<std::string>& commands);

// A committed entry as the state machine gets it, nothing copied; entries of other types have no
// commands. Errors:
// UNIMPLEMENTED (written by a later version), DATA_LOSS (not a payload).
absl::StatusOr<CommittedBatch> DecodeCommitted(raft::EntryPtr entry);

}  // namespace bellwether::coord

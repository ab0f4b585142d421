#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// What coord/storage writes, all integers big-endian:
//
//   family "entries"
//     key    u64 index
//     value  u8 format (1) | u32 crc32c of key and all that follows | u64 term | u8 type | payload
//   family "default" (meta)
//     "hard_state"  a record: u64 term | u32 vote | u8 standing
//     "formation"   a record: the driver's bytes
//     "log_start"   a record: u64 index of the log's first entry, absent: 1. What family "entries"
//                   still holds before it does not count
//   file DIR/vote   a record: as "hard_state"
//
//   record          u8 format (1) | u32 crc32c of what follows | body
//
// Decoding errors are DATA_LOSS (wrong sum or length) and UNIMPLEMENTED (a later format).

std::string EncodeEntryKey(raft::LogIndex index);
absl::StatusOr<raft::LogIndex> DecodeEntryKey(std::string_view key);

std::string EncodeEntryValue(std::string_view key, const raft::Entry& entry);
absl::StatusOr<raft::Entry> DecodeEntry(std::string_view key, std::string_view value);

std::string EncodeRecord(std::string_view body);
absl::StatusOr<std::string_view> DecodeRecord(std::string_view record);

std::string EncodeLogStart(raft::LogIndex first);
absl::StatusOr<raft::LogIndex> DecodeLogStart(std::string_view record);

std::string EncodeHardState(const raft::HardState& hard_state);
absl::StatusOr<raft::HardState> DecodeHardState(std::string_view record);

}  // namespace bellwether::coord

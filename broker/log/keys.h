#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/strong_id.h"
#include "broker/log/log.h"

// Keys and values of the database, as FORMAT.md describes them. Integers in keys are big-endian,
// so that keys sort by value; every value begins with the version of its format. Decoders return
// DATA_LOSS for bytes that they didn't write.
namespace bellwether::broker {

// Names a partition inside one data folder; never used again after deletion.
using PartitionUid = base::StrongId<struct PartitionUidTag, uint64_t>;
// Names a slice inside one data folder; grows with creation.
using SliceId = base::StrongId<struct SliceIdTag, uint64_t>;

inline constexpr uint8_t kFormatVersion = 1;

// Column families other than slices.
inline constexpr char kDirectoryFamily[] = "directory";
std::string SliceFamilyName(SliceId id);
bool IsSliceFamilyName(std::string_view name);
// Requires: IsSliceFamilyName(name).
SliceId SliceIdOfFamilyName(std::string_view name);

// First byte of a key in the metadata (default) family.
enum class MetadataKind : char {
  kFormat = 'F',     // -> nothing more
  kCounters = 'N',   // -> next uid
  kPartition = 'P',  // topic id, partition -> uid, configuration
  kLog = 'L',        // uid -> log start, log end
  kEpoch = 'E',      // uid, epoch -> start offset
  kSlice = 'S',      // slice id -> class, created, opened
};

std::string FormatKey();
std::string CountersKey();
std::string PartitionKey(const TopicPartition& id);
std::string LogKey(PartitionUid uid);
std::string EpochKey(PartitionUid uid, LeaderEpoch epoch);
std::string SliceKey(SliceId id);

// What is stored of a partition beside its log.
struct PartitionRecord {
  TopicPartition id;
  PartitionUid uid;
  PartitionConfig config;
};
// Numbers of a partition's log.
struct LogRecord {
  PartitionUid uid;
  Offset log_start;
  Offset log_end;
};
struct EpochRecord {
  PartitionUid uid;
  EpochStart start;
};
struct SliceRecord {
  SliceId id;
  int retention_class = 0;
  int64_t created_ms = 0;  // since 1970
  int64_t opened_ms = 0;   // first append, since 1970; 0: none yet
};

std::string EncodeFormat();
absl::Status CheckFormat(std::string_view value);
std::string EncodeCounters(PartitionUid next_uid);
absl::StatusOr<PartitionUid> DecodeCounters(std::string_view value);
std::string EncodePartition(const PartitionRecord& record);
absl::StatusOr<PartitionRecord> DecodePartition(std::string_view key, std::string_view value);
std::string EncodeLog(const LogRecord& record);
absl::StatusOr<LogRecord> DecodeLog(std::string_view key, std::string_view value);
std::string EncodeEpoch(const EpochRecord& record);
absl::StatusOr<EpochRecord> DecodeEpoch(std::string_view key, std::string_view value);
std::string EncodeSlice(const SliceRecord& record);
absl::StatusOr<SliceRecord> DecodeSlice(std::string_view key, std::string_view value);

// What one slice holds of one partition.
struct EntryStats {
  Offset first_offset;
  Offset last_offset;             // of the last record
  uint64_t bytes = 0;             // of the batches
  int64_t max_timestamp_ms = -1;  // largest of a batch; a batch without one counts by its append
};
// A place inside an entry: of the batches of the entry before the one at `offset`.
struct IndexPoint {
  Offset offset;                         // base offset of a batch
  int64_t max_timestamp_before_ms = -1;  // largest timestamp before it
  uint64_t bytes_before = 0;             // bytes before it
};

// A key of the directory family, decoded.
struct DirectoryKey {
  PartitionUid uid;
  SliceId slice;
  bool is_point = false;  // else an entry
  Offset point_offset;    // of a point
};

std::string EntryKey(PartitionUid uid, SliceId slice);
std::string PointKey(PartitionUid uid, SliceId slice, Offset offset);
absl::StatusOr<DirectoryKey> DecodeDirectoryKey(std::string_view key);
std::string EncodeEntry(const EntryStats& stats);
absl::StatusOr<EntryStats> DecodeEntry(std::string_view value);
std::string EncodePoint(const IndexPoint& point);
absl::StatusOr<IndexPoint> DecodePoint(const DirectoryKey& key, std::string_view value);

// Key of a batch in a slice's family.
std::string BatchKey(PartitionUid uid, Offset base_offset);
absl::StatusOr<Offset> OffsetOfBatchKey(std::string_view key);

}  // namespace bellwether::broker

#include "broker/log/loader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/log/batch_reader.h"

namespace bellwether::broker {
namespace {

// The metadata family, read whole.
struct Metadata {
  bool has_format = false;
  std::optional<PartitionUid> next_uid;
  std::map<PartitionUid, PartitionRecord> partitions;
  std::map<PartitionUid, LogRecord> logs;
  std::map<PartitionUid, std::vector<EpochStart>> epochs;
  std::map<SliceId, SliceRecord> slices;
};

absl::Status AddRecord(std::string_view key, std::string_view value, Metadata& metadata) {
  switch (static_cast<MetadataKind>(key.empty() ? '\0' : key[0])) {
    case MetadataKind::kFormat:
      metadata.has_format = true;
      return CheckFormat(value);
    case MetadataKind::kCounters: {
      ASSIGN_OR_RETURN(metadata.next_uid, DecodeCounters(value));
      return absl::OkStatus();
    }
    case MetadataKind::kPartition: {
      ASSIGN_OR_RETURN(const PartitionRecord record, DecodePartition(key, value));
      metadata.partitions[record.uid] = record;
      return absl::OkStatus();
    }
    case MetadataKind::kLog: {
      ASSIGN_OR_RETURN(const LogRecord record, DecodeLog(key, value));
      metadata.logs[record.uid] = record;
      return absl::OkStatus();
    }
    case MetadataKind::kEpoch: {
      ASSIGN_OR_RETURN(const EpochRecord record, DecodeEpoch(key, value));
      metadata.epochs[record.uid].push_back(record.start);
      return absl::OkStatus();
    }
    case MetadataKind::kSlice: {
      ASSIGN_OR_RETURN(const SliceRecord record, DecodeSlice(key, value));
      metadata.slices[record.id] = record;
      return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError(
      "unknown kind of metadata record; use the program that wrote it");
}

absl::StatusOr<Metadata> ReadMetadata(Database& database) {
  Metadata metadata;
  bool is_empty = true;
  RETURN_IF_ERROR(database.ForEach(database.metadata(),
                                   [&](std::string_view key, std::string_view value) {
                                     is_empty = false;
                                     return AddRecord(key, value, metadata);
                                   }));
  if (is_empty) {
    metadata.next_uid = PartitionUid(1);
    rocksdb::WriteBatch batch;
    batch.Put(database.metadata(), FormatKey(), EncodeFormat());
    batch.Put(database.metadata(), CountersKey(), EncodeCounters(*metadata.next_uid));
    RETURN_IF_ERROR(database.Write(batch));
  } else if (!metadata.has_format || !metadata.next_uid) {
    return absl::DataLossError("the format or counters record is missing");
  }
  return metadata;
}

// Slices with a record; families without one were made or dropped by halves and go.
absl::StatusOr<std::map<SliceId, SliceRef>> TakeSlices(const std::shared_ptr<Database>& database,
                                                       const Metadata& metadata) {
  std::map<SliceId, SliceRef> slices;
  for (const auto& [id, record] : metadata.slices) {
    rocksdb::ColumnFamilyHandle* family = database->TakeFound(id);
    if (family == nullptr) {
      return absl::DataLossError(fmt::format("the column family of slice {} is missing", id));
    }
    slices[id] = std::make_shared<Slice>(record, database, family);
  }
  for (const SliceId id : database->FoundSlices()) {
    LOG_INFO("dropping an unfinished slice slice={}", id);
    rocksdb::ColumnFamilyHandle* family = database->TakeFound(id);
    const absl::Status dropped = database->DropFamily(family);
    database->DestroyHandle(family);
    RETURN_IF_ERROR(dropped);
  }
  return slices;
}

using EntriesByPartition = std::map<PartitionUid, std::vector<DirectoryEntry>>;

absl::StatusOr<EntriesByPartition> ReadDirectory(const Database& database,
                                                 const std::map<SliceId, SliceRef>& slices) {
  EntriesByPartition entries;
  const auto visit = [&](std::string_view key_bytes, std::string_view value) -> absl::Status {
    ASSIGN_OR_RETURN(const DirectoryKey key, DecodeDirectoryKey(key_bytes));
    std::vector<DirectoryEntry>& of_partition = entries[key.uid];
    if (key.is_point) {
      ASSIGN_OR_RETURN(const IndexPoint point, DecodePoint(key, value));
      if (of_partition.empty() || of_partition.back().slice->id != key.slice) {
        return absl::DataLossError("time index without a directory entry");
      }
      of_partition.back().points.push_back(point);
      return absl::OkStatus();
    }
    const auto slice = slices.find(key.slice);
    if (slice == slices.end()) {
      return absl::DataLossError(fmt::format("slice {} has data but no record", key.slice));
    }
    ASSIGN_OR_RETURN(const EntryStats stats, DecodeEntry(value));
    of_partition.push_back({.slice = slice->second, .stats = stats, .points = {}});
    slice->second->bytes += stats.bytes;
    ++slice->second->live_entries;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(database.ForEach(database.directory(), visit));
  return entries;
}

// Entries in log order, checked to be without gaps and to agree with the log's numbers.
absl::StatusOr<Directory> BuildDirectory(std::vector<DirectoryEntry> entries,
                                         const LogRecord& log) {
  std::sort(entries.begin(), entries.end(), [](const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.stats.first_offset < b.stats.first_offset;
  });
  if (entries.empty() && log.log_start != log.log_end) {
    return absl::DataLossError("directory entries are missing");
  }
  Directory directory;
  std::optional<Offset> next;
  for (DirectoryEntry& entry : entries) {
    if (next ? *next != entry.stats.first_offset : log.log_start < entry.stats.first_offset) {
      return absl::DataLossError(
          fmt::format("directory entries have a gap before offset {}", entry.stats.first_offset));
    }
    next = entry.stats.last_offset + 1;
    directory.AddEntry(std::move(entry));
  }
  if (next && *next != log.log_end) {
    return absl::DataLossError(
        fmt::format("directory ends at offset {}, the log at {}", *next, log.log_end));
  }
  return directory;
}

// A database that lost a part of itself shows it at the ends of logs first.
absl::Status CheckLastBatch(const Database& database, const PartitionRecord& record,
                            const Directory& directory) {
  if (directory.entries().empty()) return absl::OkStatus();
  const DirectoryEntry& last = directory.entries().back();
  const SliceRange range{last.slice, last.stats.last_offset, last.stats.last_offset};
  return BatchReader(database, record.uid, record.id.ToString())
      .Read(std::span(&range, 1), 1)
      .status();
}

}  // namespace

absl::StatusOr<LoadedStore> LoadStore(const std::shared_ptr<Database>& database) {
  ASSIGN_OR_RETURN(Metadata metadata, ReadMetadata(*database));
  ASSIGN_OR_RETURN(const auto slices, TakeSlices(database, metadata));
  ASSIGN_OR_RETURN(EntriesByPartition entries, ReadDirectory(*database, slices));
  if (metadata.logs.size() != metadata.partitions.size()) {
    return absl::DataLossError(fmt::format("{} partitions but {} logs", metadata.partitions.size(),
                                           metadata.logs.size()));
  }
  LoadedStore loaded;
  loaded.next_uid = *metadata.next_uid;
  for (const auto& [id, slice] : slices) loaded.slices.push_back(slice);
  for (const auto& [uid, record] : metadata.partitions) {
    const std::string prefix = fmt::format("partition {}", record.id.ToString());
    const auto log = metadata.logs.find(uid);
    if (log == metadata.logs.end()) return absl::DataLossError(prefix + " has no log record");
    absl::StatusOr<Directory> directory = BuildDirectory(std::move(entries[uid]), log->second);
    if (!directory.ok()) return base::Annotate(directory.status(), prefix);
    RETURN_IF_ERROR(CheckLastBatch(*database, record, *directory));
    loaded.partitions.push_back({.record = record,
                                 .log_start = log->second.log_start,
                                 .log_end = log->second.log_end,
                                 .epochs = std::move(metadata.epochs[uid]),
                                 .directory = *std::move(directory)});
  }
  return loaded;
}

}  // namespace bellwether::broker

#include "broker/log/keys.h"

#include <charconv>

#include "base/coding.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr std::string_view kSlicePrefix = "slice-";
constexpr uint8_t kEntryTag = 0;
constexpr uint8_t kPointTag = 1;

std::string Key(MetadataKind kind) { return std::string(1, static_cast<char>(kind)); }

uint64_t Unsigned(Offset offset) { return static_cast<uint64_t>(offset.value()); }

Offset ReadOffset(base::Decoder& decoder) {
  return Offset(static_cast<int64_t>(decoder.Fixed64()));
}

int64_t ReadSigned64(base::Decoder& decoder) { return static_cast<int64_t>(decoder.Fixed64()); }

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(fmt::format("malformed {} record", what));
}

// A value after its version byte.
absl::StatusOr<base::Decoder> OpenValue(std::string_view value, std::string_view what) {
  base::Decoder decoder(value);
  const uint8_t version = decoder.Fixed8();
  if (!decoder.ok()) return Malformed(what);
  if (version != kFormatVersion) {
    return absl::FailedPreconditionError(
        fmt::format("{} record has format {}, this program knows {}; use the program that wrote it",
                    what, version, kFormatVersion));
  }
  return decoder;
}

// A metadata key after its kind.
base::Decoder OpenKey(std::string_view key) {
  base::Decoder decoder(key);
  decoder.Fixed8();
  return decoder;
}

}  // namespace

std::string SliceFamilyName(SliceId id) {
  return fmt::format("{}{:012}", kSlicePrefix, id.value());
}

bool IsSliceFamilyName(std::string_view name) {
  if (name.substr(0, kSlicePrefix.size()) != kSlicePrefix) return false;
  const std::string_view digits = name.substr(kSlicePrefix.size());
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

SliceId SliceIdOfFamilyName(std::string_view name) {
  const std::string_view digits = name.substr(kSlicePrefix.size());
  uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return SliceId(id);
}

std::string FormatKey() { return Key(MetadataKind::kFormat); }

std::string CountersKey() { return Key(MetadataKind::kCounters); }

std::string PartitionKey(const TopicPartition& id) {
  std::string key = Key(MetadataKind::kPartition);
  base::Encoder(key).Raw(id.topic_id.Bytes()).Fixed32(static_cast<uint32_t>(id.partition));
  return key;
}

std::string LogKey(PartitionUid uid) {
  std::string key = Key(MetadataKind::kLog);
  base::Encoder(key).Fixed64(uid.value());
  return key;
}

std::string EpochKey(PartitionUid uid, LeaderEpoch epoch) {
  std::string key = Key(MetadataKind::kEpoch);
  base::Encoder(key).Fixed64(uid.value()).Fixed32(static_cast<uint32_t>(epoch.value()));
  return key;
}

std::string SliceKey(SliceId id) {
  std::string key = Key(MetadataKind::kSlice);
  base::Encoder(key).Fixed64(id.value());
  return key;
}

std::string EncodeFormat() { return std::string(1, static_cast<char>(kFormatVersion)); }

absl::Status CheckFormat(std::string_view value) {
  ASSIGN_OR_RETURN(const base::Decoder decoder, OpenValue(value, "format"));
  return decoder.Done() ? absl::OkStatus() : Malformed("format");
}

std::string EncodeCounters(PartitionUid next_uid) {
  std::string value;
  base::Encoder(value).Fixed8(kFormatVersion).Fixed64(next_uid.value());
  return value;
}

absl::StatusOr<PartitionUid> DecodeCounters(std::string_view value) {
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "counters"));
  const PartitionUid next_uid(decoder.Fixed64());
  if (!decoder.Done()) return Malformed("counters");
  return next_uid;
}

std::string EncodePartition(const PartitionRecord& record) {
  std::string value;
  base::Encoder(value)
      .Fixed8(kFormatVersion)
      .Fixed64(record.uid.value())
      .Fixed64(static_cast<uint64_t>(record.config.retention_ms))
      .Fixed64(static_cast<uint64_t>(record.config.retention_bytes));
  return value;
}

absl::StatusOr<PartitionRecord> DecodePartition(std::string_view key, std::string_view value) {
  PartitionRecord record;
  base::Decoder key_decoder = OpenKey(key);
  const std::optional<base::Uuid> topic_id = base::Uuid::FromBytes(key_decoder.Raw(16));
  record.id.partition = static_cast<int32_t>(key_decoder.Fixed32());
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "partition"));
  record.uid = PartitionUid(decoder.Fixed64());
  record.config.retention_ms = ReadSigned64(decoder);
  record.config.retention_bytes = ReadSigned64(decoder);
  if (!key_decoder.Done() || !decoder.Done() || !topic_id) return Malformed("partition");
  record.id.topic_id = *topic_id;
  return record;
}

std::string EncodeLog(const LogRecord& record) {
  std::string value;
  base::Encoder(value)
      .Fixed8(kFormatVersion)
      .Fixed64(Unsigned(record.log_start))
      .Fixed64(Unsigned(record.log_end));
  return value;
}

absl::StatusOr<LogRecord> DecodeLog(std::string_view key, std::string_view value) {
  LogRecord record;
  base::Decoder key_decoder = OpenKey(key);
  record.uid = PartitionUid(key_decoder.Fixed64());
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "log"));
  record.log_start = ReadOffset(decoder);
  record.log_end = ReadOffset(decoder);
  if (!key_decoder.Done() || !decoder.Done()) return Malformed("log");
  return record;
}

std::string EncodeEpoch(const EpochRecord& record) {
  std::string value;
  base::Encoder(value).Fixed8(kFormatVersion).Fixed64(Unsigned(record.start.start_offset));
  return value;
}

absl::StatusOr<EpochRecord> DecodeEpoch(std::string_view key, std::string_view value) {
  EpochRecord record;
  base::Decoder key_decoder = OpenKey(key);
  record.uid = PartitionUid(key_decoder.Fixed64());
  record.start.epoch = LeaderEpoch(static_cast<int32_t>(key_decoder.Fixed32()));
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "epoch"));
  record.start.start_offset = ReadOffset(decoder);
  if (!key_decoder.Done() || !decoder.Done()) return Malformed("epoch");
  return record;
}

std::string EncodeSlice(const SliceRecord& record) {
  std::string value;
  base::Encoder(value)
      .Fixed8(kFormatVersion)
      .Fixed8(static_cast<uint8_t>(record.retention_class))
      .Fixed64(static_cast<uint64_t>(record.created_ms))
      .Fixed64(static_cast<uint64_t>(record.opened_ms));
  return value;
}

absl::StatusOr<SliceRecord> DecodeSlice(std::string_view key, std::string_view value) {
  SliceRecord record;
  base::Decoder key_decoder = OpenKey(key);
  record.id = SliceId(key_decoder.Fixed64());
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "slice"));
  record.retention_class = decoder.Fixed8();
  record.created_ms = ReadSigned64(decoder);
  record.opened_ms = ReadSigned64(decoder);
  if (!key_decoder.Done() || !decoder.Done()) return Malformed("slice");
  return record;
}

std::string EntryKey(PartitionUid uid, SliceId slice) {
  std::string key;
  base::Encoder(key).Fixed64(uid.value()).Fixed64(slice.value()).Fixed8(kEntryTag);
  return key;
}

std::string PointKey(PartitionUid uid, SliceId slice, Offset offset) {
  std::string key;
  base::Encoder(key)
      .Fixed64(uid.value())
      .Fixed64(slice.value())
      .Fixed8(kPointTag)
      .Fixed64(Unsigned(offset));
  return key;
}

absl::StatusOr<DirectoryKey> DecodeDirectoryKey(std::string_view key) {
  base::Decoder decoder(key);
  DirectoryKey decoded;
  decoded.uid = PartitionUid(decoder.Fixed64());
  decoded.slice = SliceId(decoder.Fixed64());
  const uint8_t tag = decoder.Fixed8();
  decoded.is_point = tag == kPointTag;
  if (decoded.is_point) decoded.point_offset = ReadOffset(decoder);
  if (!decoder.Done() || (tag != kEntryTag && tag != kPointTag)) return Malformed("directory");
  return decoded;
}

std::string EncodeEntry(const EntryStats& stats) {
  std::string value;
  base::Encoder(value)
      .Fixed8(kFormatVersion)
      .Fixed64(Unsigned(stats.first_offset))
      .Fixed64(Unsigned(stats.last_offset))
      .Fixed64(stats.bytes)
      .Fixed64(static_cast<uint64_t>(stats.max_timestamp_ms));
  return value;
}

absl::StatusOr<EntryStats> DecodeEntry(std::string_view value) {
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "directory"));
  EntryStats stats;
  stats.first_offset = ReadOffset(decoder);
  stats.last_offset = ReadOffset(decoder);
  stats.bytes = decoder.Fixed64();
  stats.max_timestamp_ms = ReadSigned64(decoder);
  if (!decoder.Done() || stats.last_offset < stats.first_offset) return Malformed("directory");
  return stats;
}

std::string EncodePoint(const IndexPoint& point) {
  std::string value;
  base::Encoder(value)
      .Fixed8(kFormatVersion)
      .Fixed64(static_cast<uint64_t>(point.max_timestamp_before_ms))
      .Fixed64(point.bytes_before);
  return value;
}

absl::StatusOr<IndexPoint> DecodePoint(const DirectoryKey& key, std::string_view value) {
  ASSIGN_OR_RETURN(base::Decoder decoder, OpenValue(value, "time index"));
  IndexPoint point;
  point.offset = key.point_offset;
  point.max_timestamp_before_ms = ReadSigned64(decoder);
  point.bytes_before = decoder.Fixed64();
  if (!decoder.Done()) return Malformed("time index");
  return point;
}

std::string BatchKey(PartitionUid uid, Offset base_offset) {
  std::string key;
  base::Encoder(key).Fixed64(uid.value()).Fixed64(Unsigned(base_offset));
  return key;
}

absl::StatusOr<Offset> OffsetOfBatchKey(std::string_view key) {
  base::Decoder decoder(key);
  decoder.Fixed64();
  const Offset offset = ReadOffset(decoder);
  if (!decoder.Done()) return Malformed("batch");
  return offset;
}

}  // namespace bellwether::broker

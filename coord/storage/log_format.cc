#include "coord/storage/log_format.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/mutant.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kLogFormatVersion = 1;
constexpr size_t kChecksumEnd = 5;  // format and checksum in front of what is summed

absl::Status CheckFormat(uint8_t format) {
  if (format == kLogFormatVersion) return absl::OkStatus();
  return absl::UnimplementedError(fmt::format(
      "format {} where this program knows {}; start a newer bell-coord", format, kLogFormatVersion));
}

}  // namespace

std::string EncodeEntryKey(raft::LogIndex index) {
  std::string key;
  base::Encoder(key).Fixed64(index.value());
  return key;
}

absl::StatusOr<raft::LogIndex> DecodeEntryKey(std::string_view key) {
  base::Decoder decoder(key);
  const raft::LogIndex index(decoder.Fixed64());
  if (!decoder.Done() || index.value() == 0) return absl::DataLossError("a key that is no index");
  return index;
}

std::string EncodeEntryValue(std::string_view key, const raft::Entry& entry) {
  std::string summed;
  summed.reserve(9 + entry.payload.size());
  base::Encoder(summed)
      .Fixed64(entry.term.value())
      .Fixed8(static_cast<uint8_t>(entry.type))
      .Raw(entry.payload);
  std::string value;
  value.reserve(kChecksumEnd + summed.size());
  base::Encoder(value)
      .Fixed8(kLogFormatVersion)
      .Fixed32(base::Crc32c(summed, base::Crc32c(key)))
      .Raw(summed);
  return value;
}

absl::StatusOr<raft::Entry> DecodeEntry(std::string_view key, std::string_view value) {
  raft::Entry entry;
  ASSIGN_OR_RETURN(entry.index, DecodeEntryKey(key));
  base::Decoder decoder(value);
  const uint8_t format = decoder.Fixed8();
  const uint32_t crc = decoder.Fixed32();
  const std::string_view summed = decoder.rest();
  entry.term = raft::Term(decoder.Fixed64());
  const uint8_t type = decoder.Fixed8();
  if (!decoder.ok()) return absl::DataLossError("the entry is cut short");
  RETURN_IF_ERROR(CheckFormat(format));
  if (base::Crc32c(summed, base::Crc32c(key)) != crc && !MUTANT(47)) {
    return absl::DataLossError("the entry's checksum is wrong");
  }
  if (type > static_cast<uint8_t>(raft::EntryType::kMembership)) {
    return absl::UnimplementedError(fmt::format("entry type {} is not known", type));
  }
  entry.type = static_cast<raft::EntryType>(type);
  entry.payload = std::string(decoder.rest());
  return entry;
}

std::string EncodeRecord(std::string_view body) {
  std::string record;
  base::Encoder(record).Fixed8(kLogFormatVersion).Fixed32(base::Crc32c(body)).Raw(body);
  return record;
}

absl::StatusOr<std::string_view> DecodeRecord(std::string_view record) {
  base::Decoder decoder(record);
  const uint8_t format = decoder.Fixed8();
  const uint32_t crc = decoder.Fixed32();
  if (!decoder.ok()) return absl::DataLossError("it is cut short");
  RETURN_IF_ERROR(CheckFormat(format));
  if (base::Crc32c(decoder.rest()) != crc) return absl::DataLossError("its checksum is wrong");
  return decoder.rest();
}

std::string EncodeLogStart(raft::LogIndex first) {
  std::string body;
  base::Encoder(body).Fixed64(first.value());
  return EncodeRecord(body);
}

absl::StatusOr<raft::LogIndex> DecodeLogStart(std::string_view record) {
  ASSIGN_OR_RETURN(const std::string_view body, DecodeRecord(record));
  base::Decoder decoder(body);
  const raft::LogIndex first(decoder.Fixed64());
  if (!decoder.Done() || first == raft::LogIndex()) {
    return absl::DataLossError("it is not the start of a log");
  }
  return first;
}

std::string EncodeHardState(const raft::HardState& hard_state) {
  std::string body;
  base::Encoder(body)
      .Fixed64(hard_state.term.value())
      .Fixed32(hard_state.vote.value())
      .Fixed8(static_cast<uint8_t>(hard_state.standing));
  return EncodeRecord(body);
}

absl::StatusOr<raft::HardState> DecodeHardState(std::string_view record) {
  ASSIGN_OR_RETURN(const std::string_view body, DecodeRecord(record));
  base::Decoder decoder(body);
  raft::HardState hard_state;
  hard_state.term = raft::Term(decoder.Fixed64());
  hard_state.vote = raft::ServerId(decoder.Fixed32());
  const uint8_t standing = decoder.Fixed8();
  if (!decoder.Done() || standing > static_cast<uint8_t>(raft::Standing::kAwaitingReadmission)) {
    return absl::DataLossError("it is not a hard state");
  }
  hard_state.standing = static_cast<raft::Standing>(standing);
  return hard_state;
}

}  // namespace bellwether::coord

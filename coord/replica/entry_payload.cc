#include "coord/replica/entry_payload.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kFormatVersion = 1;

}  // namespace

std::string EncodeEntryPayload(int64_t time_ms, const std::vector<std::string>& commands) {
  size_t bytes = 16;
  for (const std::string& command : commands) bytes += command.size() + 5;
  std::string payload;
  payload.reserve(bytes);
  base::Encoder encoder(payload);
  encoder.Fixed8(kFormatVersion).Signed(time_ms).Varint(commands.size());
  for (const std::string& command : commands) encoder.String(command);
  return payload;
}

absl::StatusOr<CommittedBatch> DecodeCommitted(raft::EntryPtr entry) {
  CommittedBatch batch;
  batch.term = entry->term;
  batch.index = entry->index;
  if (entry->type != raft::EntryType::kCommands) return batch;

  base::Decoder decoder(entry->payload);
  const uint8_t version = decoder.Fixed8();
  if (decoder.ok() && version != kFormatVersion) {
    return absl::UnimplementedError(
        fmt::format("log entry {} has format {}, this program knows {}; start a newer bell-coord",
                    entry->index, version, kFormatVersion));
  }
  batch.time_ms = decoder.Signed();
  const uint64_t count = decoder.Varint();
  batch.commands.reserve(std::min<uint64_t>(count, decoder.remaining()));
  for (uint64_t i = 0; i < count && decoder.ok(); ++i) batch.commands.push_back(decoder.String());
  if (!decoder.Done()) {
    return absl::DataLossError(
        fmt::format("log entry {} (term {}) is committed but can't be decoded", entry->index,
                    entry->term));
  }
  batch.entry = std::move(entry);
  return batch;
}

}  // namespace bellwether::coord

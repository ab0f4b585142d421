#include "coord/service/envelope.h"

#include <algorithm>
#include <variant>

#include "base/coding.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kEnvelopeFormatVersion = 1;

bool StoresData(const tree::Operation& operation) {
  if (const auto* transaction = std::get_if<tree::Transaction>(&operation)) {
    const auto& operations = transaction->operations;
    return !std::all_of(operations.begin(), operations.end(), [](const auto& part) {
      return std::holds_alternative<tree::Delete>(part) ||
             std::holds_alternative<tree::Check>(part);
    });
  }
  return std::holds_alternative<tree::Create>(operation) ||
         std::holds_alternative<tree::SetData>(operation) ||
         std::holds_alternative<tree::SetAcl>(operation) ||
         std::holds_alternative<tree::Import>(operation);
}

}  // namespace

std::string SealCommand(const CommandOrigin& origin, const tree::Command& command) {
  std::string bytes;
  base::Encoder(bytes).Fixed8(kEnvelopeFormatVersion).Fixed64(origin.process).Varint(origin.token);
  tree::EncodeCommand(command, bytes);
  return bytes;
}

absl::StatusOr<OpenedCommand> OpenCommand(std::string_view bytes) {
  base::Decoder decoder(bytes);
  const uint8_t version = decoder.Fixed8();
  if (decoder.ok() && version != kEnvelopeFormatVersion) {
    return absl::UnimplementedError(
        fmt::format("command envelope has format {}, this build knows {}; install a version that "
                    "knows it",
                    version, kEnvelopeFormatVersion));
  }
  OpenedCommand opened;
  opened.origin.process = decoder.Fixed64();
  opened.origin.token = decoder.Varint();
  if (!decoder.ok()) return absl::DataLossError("command envelope is cut short");
  ASSIGN_OR_RETURN(opened.command, tree::DecodeCommand(decoder.rest()));
  return opened;
}

EntryKind KindOfCommand(std::string_view bytes) {
  const absl::StatusOr<OpenedCommand> opened = OpenCommand(bytes);
  return opened.ok() && !StoresData(opened->command.operation) ? EntryKind::kUpkeep
                                                               : EntryKind::kGrowth;
}

}  // namespace bellwether::coord

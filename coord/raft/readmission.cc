#include "coord/raft/readmission.h"

#include "base/coding.h"

namespace bellwether::coord::raft {
namespace {

constexpr uint8_t kFormatVersion = 1;

}  // namespace

std::string Encode(const Readmission& readmission) {
  std::string payload;
  base::Encoder(payload)
      .Fixed8(kFormatVersion)
      .Fixed32(readmission.server.value())
      .Raw(readmission.folder_id.Bytes());
  return payload;
}

std::optional<Readmission> DecodeReadmission(std::string_view payload) {
  base::Decoder decoder(payload);
  const uint8_t version = decoder.Fixed8();
  const ServerId server(decoder.Fixed32());
  const std::optional<base::Uuid> folder_id = base::Uuid::FromBytes(decoder.Raw(16));
  if (!decoder.Done() || version != kFormatVersion || !folder_id.has_value()) return std::nullopt;
  return Readmission{server, *folder_id};
}

}  // namespace bellwether::coord::raft

#include "coord/replica/formation.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/mutant.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kFormatVersion = 1;
constexpr uint8_t kFormedFormatVersion = 2;
constexpr uint8_t kFormatVersionRestored = 3;  // the same behind 16 bytes of restore id

void EncodeServers(const std::set<ServerId>& servers, base::Encoder& encoder) {
  encoder.Varint(servers.size());
  for (ServerId server : servers) encoder.Varint(server.value());
}

std::set<ServerId> DecodeServers(base::Decoder& decoder) {
  std::set<ServerId> servers;
  const uint64_t count = decoder.Varint();
  for (uint64_t i = 0; i < count && decoder.ok(); ++i) {
    servers.insert(ServerId(static_cast<uint32_t>(decoder.Varint())));
  }
  return servers;
}

}  // namespace

Formation::Formation(ServerId self, std::vector<ServerId> servers)
    : self_(self), others_(servers.begin(), servers.end()) {
  others_.erase(self);
}

absl::Status Formation::Restore(std::string_view remembered) {
  if (remembered.empty()) return absl::OkStatus();
  base::Decoder decoder(remembered);
  const uint8_t version = decoder.Fixed8();
  const bool restored = version == kFormatVersionRestored;
  base::Uuid restore_id;
  if (restored) {
    const uint64_t high = decoder.Fixed64();
    restore_id = base::Uuid(high, decoder.Fixed64());
  }
  std::set<ServerId> heard_empty = DecodeServers(decoder);
  std::set<ServerId> confirmed = DecodeServers(decoder);
  if ((version != kFormatVersion && !restored) || restored == restore_id.IsNil() ||
      !decoder.Done()) {
    return absl::DataLossError(
        "what this folder remembers of the forming of its ensemble can't be read; empty the folder "
        "and start again");
  }
  restore_id_ = restore_id;
  // A server that is no longer configured says nothing about the ensemble to be.
  for (ServerId server : heard_empty) {
    if (others_.contains(server)) heard_empty_.insert(server);
  }
  for (ServerId server : confirmed) {
    if (others_.contains(server)) confirmed_.insert(server);
  }
  return absl::OkStatus();
}

std::string Formation::Encode() const {
  std::string out;
  base::Encoder encoder(out);
  if (restore_id_.IsNil()) {
    encoder.Fixed8(kFormatVersion);
  } else {
    encoder.Fixed8(kFormatVersionRestored).Fixed64(restore_id_.high()).Fixed64(restore_id_.low());
  }
  EncodeServers(heard_empty_, encoder);
  EncodeServers(confirmed_, encoder);
  return out;
}

std::string Formation::EncodeFormed() const {
  std::string out;
  base::Encoder encoder(out);
  encoder.Fixed8(kFormedFormatVersion);
  EncodeServers(others_, encoder);
  return out;
}

std::optional<std::vector<ServerId>> Formation::FormedWith(std::string_view remembered) {
  base::Decoder decoder(remembered);
  const uint8_t version = decoder.Fixed8();
  const std::set<ServerId> others = DecodeServers(decoder);
  if (version != kFormedFormatVersion || !decoder.Done()) return std::nullopt;
  return std::vector<ServerId>(others.begin(), others.end());
}

std::string Formation::EncodeRestored(base::Uuid restore_id) {
  CHECK(!restore_id.IsNil());
  Formation formation(ServerId(), {});
  formation.restore_id_ = restore_id;
  return formation.Encode();
}

bool Formation::OnHello(const Hello& hello) {
  const ServerId peer = hello.server_id;
  if (!others_.contains(peer)) return false;
  bool more = false;
  if (hello.folder == FolderState::kMember) {
    if (!heard_empty_.contains(peer) && !MUTANT(9)) met_member_ = true;
  } else {
    more |= heard_empty_.insert(peer).second;
  }
  // A member has heard all it needed; one that awaits readmission won't form.
  const bool confirms = !IsForming(hello.folder) ||
                        std::find(hello.heard_empty.begin(), hello.heard_empty.end(), self_) !=
                            hello.heard_empty.end();
  if (confirms) more |= confirmed_.insert(peer).second;
  return more;
}

Formation::Verdict Formation::verdict() const {
  if (met_member_) return Verdict::kAwaitReadmission;
  return heard_empty_ == others_ && confirmed_ == others_ ? Verdict::kVoter : Verdict::kWait;
}

std::vector<ServerId> Formation::heard_empty() const {
  return {heard_empty_.begin(), heard_empty_.end()};
}

std::string Formation::WaitingFor() const {
  std::vector<uint32_t> missing;
  for (ServerId server : others_) {
    if (!heard_empty_.contains(server) || !confirmed_.contains(server)) {
      missing.push_back(server.value());
    }
  }
  return fmt::format("a new ensemble forms once every configured server was started; waiting for {}",
                     fmt::join(missing, ", "));
}

}  // namespace bellwether::coord

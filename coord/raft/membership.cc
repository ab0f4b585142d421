#include "coord/raft/membership.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {
namespace {

constexpr uint8_t kFormatVersion = 1;

const Member* FindIn(const std::vector<Member>& members, ServerId server) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [server](const Member& member) { return member.id == server; });
  return found == members.end() ? nullptr : &*found;
}

void EncodeMembers(const std::vector<Member>& members, base::Encoder& encoder) {
  encoder.Varint(members.size());
  for (const Member& member : members) {
    encoder.Fixed32(member.id.value()).Fixed8(member.voter ? 1 : 0).String(member.address);
  }
}

std::vector<Member> DecodeMembers(base::Decoder& decoder) {
  std::vector<Member> members;
  const uint64_t count = decoder.Varint();
  for (uint64_t i = 0; i < count && decoder.ok(); ++i) {
    Member member;
    member.id = ServerId(decoder.Fixed32());
    member.voter = decoder.Fixed8() != 0;
    member.address = std::string(decoder.String());
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

const Member* Membership::Find(ServerId server) const {
  const Member* const now = FindIn(members, server);
  const Member* const then = FindIn(next, server);
  if (now == nullptr || then == nullptr) return now != nullptr ? now : then;
  return now->voter ? now : then;
}

bool Membership::IsVoter(ServerId server) const {
  const Member* const member = Find(server);
  return member != nullptr && member->voter;
}

std::vector<ServerId> Membership::Servers() const {
  std::vector<ServerId> servers;
  for (const Member& member : members) servers.push_back(member.id);
  for (const Member& member : next) servers.push_back(member.id);
  std::sort(servers.begin(), servers.end());
  servers.erase(std::unique(servers.begin(), servers.end()), servers.end());
  return servers;
}

absl::Status Validate(const std::vector<Member>& members) {
  const bool ascending =
      std::is_sorted(members.begin(), members.end(),
                     [](const Member& a, const Member& b) { return a.id <= b.id; });
  if (!ascending) {
    return absl::InvalidArgumentError("a server is listed twice, or not in the order of the ids");
  }
  for (const Member& member : members) {
    if (member.id == ServerId(0)) return absl::InvalidArgumentError("server id 0 stands for none");
  }
  const bool has_voter = std::any_of(members.begin(), members.end(),
                                     [](const Member& member) { return member.voter; });
  if (!has_voter) return absl::InvalidArgumentError("an ensemble needs at least one voter");
  return absl::OkStatus();
}

std::string Encode(const Membership& membership) {
  std::string bytes;
  base::Encoder encoder(bytes);
  encoder.Fixed8(kFormatVersion);
  EncodeMembers(membership.members, encoder);
  EncodeMembers(membership.next, encoder);
  return bytes;
}

absl::StatusOr<Membership> DecodeMembership(std::string_view bytes) {
  base::Decoder decoder(bytes);
  const uint8_t version = decoder.Fixed8();
  if (decoder.ok() && version != kFormatVersion) {
    return absl::UnimplementedError(
        fmt::format("a membership of format {}, this program knows {}; start a newer bell-coord",
                    version, kFormatVersion));
  }
  Membership membership;
  membership.members = DecodeMembers(decoder);
  membership.next = DecodeMembers(decoder);
  if (!decoder.Done() || !Validate(membership.members).ok() ||
      (membership.IsJoint() && !Validate(membership.next).ok())) {
    return absl::DataLossError("not a membership of an ensemble");
  }
  return membership;
}

}  // namespace bellwether::coord::raft

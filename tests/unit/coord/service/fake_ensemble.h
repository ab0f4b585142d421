#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "coord/service/replicated_log.h"

namespace bellwether::coord {

// Who is in an ensemble, as its leader changes it: for FakeLog::SetMembership. Not thread-safe.
// Fault model: answers `fault` instead while it is set; what is asked then is not done.
class FakeEnsemble {
 public:
  using Kind = MembershipChange::Kind;

  // Server 1 leads; all have votes and answer.
  explicit FakeEnsemble(uint32_t servers) {
    view_.leader = ServerId(1);
    for (uint32_t id = 1; id <= servers; ++id) {
      MemberInfo& member = view_.members.emplace_back();
      member.id = ServerId(id);
      member.address = "host" + std::to_string(id) + ":2192";
      member.voter = member.active = true;
    }
  }

  absl::StatusOr<MembershipView> Ask(const MembershipChange& change) {
    if (change.kind != Kind::kNone) asked.push_back(Text(change));
    if (!fault.ok()) return fault;
    if (change.kind == Kind::kPromote && !caught_up) {
      return absl::FailedPreconditionError("too far behind");
    }
    Make(change);
    return view_;
  }

  // As a server's status says it.
  std::vector<ReplicaStatus::Peer> Peers() const {
    std::vector<ReplicaStatus::Peer> peers;
    for (const MemberInfo& member : view_.members) {
      ReplicaStatus::Peer& peer = peers.emplace_back();
      peer.address = {member.id, member.address};
      peer.connected = true;
      peer.voter = member.voter;
    }
    return peers;
  }

  MembershipView& view() { return view_; }

  absl::Status fault;
  bool caught_up = true;           // who is to be promoted
  std::vector<std::string> asked;  // "add 4", in order

 private:
  static std::string Text(const MembershipChange& change) {
    const char* const kinds[] = {"none", "add", "promote", "remove", "transfer"};
    return std::string(kinds[static_cast<size_t>(change.kind)]) + " " +
           std::to_string(change.server.value());
  }

  void Make(const MembershipChange& change) {
    auto& members = view_.members;
    const auto found = std::find_if(members.begin(), members.end(), [&](const MemberInfo& member) {
      return member.id == change.server;
    });
    if (change.kind == Kind::kRemove && found != members.end()) members.erase(found);
    if (change.kind == Kind::kPromote) found->voter = true;
    if (change.kind == Kind::kAdd && found == members.end()) {
      MemberInfo added;
      added.id = change.server;
      added.address = change.address;
      members.push_back(added);
      std::sort(members.begin(), members.end(),
                [](const MemberInfo& a, const MemberInfo& b) { return a.id < b.id; });
    }
  }

  MembershipView view_;
};

}  // namespace bellwether::coord

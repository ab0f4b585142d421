#include "coord/replica/membership_change.h"

#include <algorithm>
#include <utility>

#include "base/parse.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace bellwether::coord {
namespace {

using raft::Member;
using raft::ServerId;

constexpr size_t kMembersMax = 9;
constexpr uint32_t kServerIdLast = 254;
// Of a learner that is promoted: the new quorum should not wait for it.
constexpr uint64_t kPromotionLagMax = 1024;

const Member* FindIn(const std::vector<Member>& members, ServerId server) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [server](const Member& member) { return member.id == server; });
  return found == members.end() ? nullptr : &*found;
}

const MemberInfo* FindIn(const MembershipView& view, ServerId server) {
  const auto found =
      std::find_if(view.members.begin(), view.members.end(),
                   [server](const MemberInfo& member) { return member.id == server; });
  return found == view.members.end() ? nullptr : &*found;
}

absl::StatusOr<std::vector<Member>> WithAdded(std::vector<Member> members,
                                              const MembershipChange& change) {
  const auto address = base::ParseHostPort(change.address);
  if (!address.ok() || address->port == 0) {
    return absl::InvalidArgumentError(fmt::format(
        "not the address of a server's peer listener: {}",
        address.ok() ? fmt::format("'{}' has port 0", change.address)
                     : std::string(address.status().message())));
  }
  if (const Member* const member = FindIn(members, change.server)) {
    if (member->address == change.address) return members;
    return absl::FailedPreconditionError(fmt::format(
        "server {} is in the ensemble with the address {}; remove it before it is added as {}",
        change.server, member->address, change.address));
  }
  for (const Member& member : members) {
    if (member.address != change.address) continue;
    return absl::FailedPreconditionError(fmt::format(
        "{} is the address of server {} already; give the new server one of its own",
        change.address, member.id));
  }
  if (members.size() >= kMembersMax) {
    return absl::FailedPreconditionError(fmt::format(
        "the ensemble has {} servers, as many as it may have; remove one first", members.size()));
  }
  members.push_back({change.server, change.address, /*voter=*/false});
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.id < b.id; });
  return members;
}

absl::StatusOr<std::vector<Member>> WithPromoted(std::vector<Member> members,
                                                 const MembershipChange& change) {
  for (Member& member : members) {
    if (member.id != change.server) continue;
    member.voter = true;
    return members;
  }
  return absl::NotFoundError(fmt::format(
      "server {} is not in the ensemble; add it first: bell cluster add {}=HOST:PORT",
      change.server, change.server));
}

absl::StatusOr<std::vector<Member>> WithoutRemoved(std::vector<Member> members,
                                                   const MembershipChange& change) {
  std::erase_if(members, [&](const Member& member) { return member.id == change.server; });
  const bool has_voter = std::any_of(members.begin(), members.end(),
                                     [](const Member& member) { return member.voter; });
  if (has_voter) return members;
  return absl::FailedPreconditionError(fmt::format(
      "server {} is the last one with a vote; promote another one before it is removed",
      change.server));
}

absl::Status CheckNewVoter(const Member& voter, const MembershipView& view) {
  const MemberInfo* const now = FindIn(view, voter.id);
  if (now == nullptr || now->voter) return absl::OkStatus();  // the core judges the first
  if (!now->active) {
    return absl::FailedPreconditionError(fmt::format(
        "server {} doesn't answer, so it must not get a vote; start it with --peer flags that "
        "name itself and the others, and try again",
        voter.id));
  }
  const uint64_t lag = view.last_index.value() - std::min(view.last_index, now->match).value();
  if (now->awaiting_readmission || now->needs_snapshot || lag > kPromotionLagMax) {
    return absl::FailedPreconditionError(fmt::format(
        "server {} is too far behind to get a vote ({} entries{}); wait until it has caught up",
        voter.id, lag, now->needs_snapshot ? ", a snapshot is on its way" : ""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Member>> MembersAfter(std::vector<Member> members,
                                                 const MembershipChange& change) {
  if (change.server < ServerId(1) || change.server > ServerId(kServerIdLast)) {
    return absl::InvalidArgumentError(
        fmt::format("server {}: ids are 1 to {}", change.server, kServerIdLast));
  }
  switch (change.kind) {
    case MembershipChange::Kind::kAdd:
      return WithAdded(std::move(members), change);
    case MembershipChange::Kind::kPromote:
      return WithPromoted(std::move(members), change);
    case MembershipChange::Kind::kRemove:
      return WithoutRemoved(std::move(members), change);
    case MembershipChange::Kind::kNone:
    case MembershipChange::Kind::kTransfer:
      break;
  }
  return absl::InvalidArgumentError("not a change of the members");
}

absl::Status CheckSafe(const std::vector<Member>& after, const MembershipView& view) {
  std::vector<uint32_t> up;
  std::vector<uint32_t> down;
  for (const Member& member : after) {
    if (member.address.empty() && after.size() > 1) {
      return absl::FailedPreconditionError(fmt::format(
          "server {0} has no address for peers; restart it with --peer {0}=HOST:PORT first",
          member.id));
    }
    if (!member.voter) continue;
    if (absl::Status able = CheckNewVoter(member, view); !able.ok()) return able;
    const MemberInfo* const now = FindIn(view, member.id);
    const bool counts = now != nullptr && now->active && !now->awaiting_readmission;
    (counts ? up : down).push_back(member.id.value());
  }
  const size_t voters = up.size() + down.size();
  const size_t majority = voters / 2 + 1;
  if (up.size() >= majority) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "the ensemble would lose its quorum: of the {} servers that would vote ({} needed) only {} "
      "answer; start server {} first",
      voters, majority, up.size(), fmt::join(down, ", ")));
}

absl::Status CheckTransfer(ServerId to, const MembershipView& view) {
  if (to == ServerId(0)) {
    const bool able = std::any_of(
        view.members.begin(), view.members.end(), [&view](const MemberInfo& member) {
          return member.id != view.leader && CheckTransfer(member.id, view).ok();
        });
    if (able) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "no other server has a vote and answers, so nobody else can lead; add or start one first");
  }
  if (to == view.leader) return absl::OkStatus();
  const MemberInfo* const member = FindIn(view, to);
  if (member == nullptr) {
    return absl::NotFoundError(
        fmt::format("server {} is not in the ensemble; see `bell cluster members`", to));
  }
  if (!member->voter || member->leaving || member->awaiting_readmission) {
    return absl::FailedPreconditionError(
        fmt::format("server {} has no vote, so it can't lead; name a voter", to));
  }
  if (!member->active) {
    return absl::FailedPreconditionError(
        fmt::format("server {} doesn't answer, so it can't lead; start it first", to));
  }
  return absl::OkStatus();
}

}  // namespace bellwether::coord

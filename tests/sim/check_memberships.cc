#include "tests/sim/check_memberships.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace bellwether::sim {
namespace {

using coord::raft::Entry;
using coord::raft::EntryPtr;
using coord::raft::EntryType;
using coord::raft::Member;
using coord::raft::Membership;
using Servers = std::set<ServerId>;

Servers VotersOf(const std::vector<Member>& members) {
  Servers voters;
  for (const Member& member : members) {
    if (member.voter) voters.insert(member.id);
  }
  return voters;
}

bool IsMajority(const std::vector<Member>& members, const Servers& servers) {
  const Servers voters = VotersOf(members);
  const auto in = std::count_if(voters.begin(), voters.end(),
                                [&](ServerId voter) { return servers.contains(voter); });
  return 2 * static_cast<size_t>(in) > voters.size();
}

bool CanDecide(const Membership& membership, const Servers& servers) {
  return IsMajority(membership.members, servers) &&
         (!membership.IsJoint() || IsMajority(membership.next, servers));
}

// By trying every way to part the servers in two.
bool MajoritiesMeet(const Membership& a, const Membership& b) {
  Servers all;
  for (const Membership* membership : {&a, &b}) {
    const std::vector<ServerId> servers = membership->Servers();
    all.insert(servers.begin(), servers.end());
  }
  const std::vector<ServerId> ids(all.begin(), all.end());
  for (uint32_t ways = 0; ways < (uint32_t{1} << ids.size()); ++ways) {
    Servers some;
    Servers others;
    for (size_t i = 0; i < ids.size(); ++i) {
      (((ways >> i) & 1) == 1 ? some : others).insert(ids[i]);
    }
    if (CanDecide(a, some) && CanDecide(b, others)) return false;
  }
  return true;
}

// What is wrong with a membership behind another one; empty: nothing.
std::string_view WhyNotBehind(const Membership& before, const Membership& after) {
  if (before.IsJoint()) {
    const bool led_to = !after.IsJoint() && after.members == before.next;
    return led_to ? "" : "is not what the joint one before it leads to";
  }
  if (after.IsJoint() && after.members != before.members) {
    return "is joint with another one than that before it";
  }
  const Servers was = VotersOf(before.members);
  const Servers is = VotersOf(after.IsJoint() ? after.next : after.members);
  std::vector<ServerId> changed;
  std::set_symmetric_difference(was.begin(), was.end(), is.begin(), is.end(),
                                std::back_inserter(changed));
  if (changed.size() > 1) return "changes more than one vote";
  return MajoritiesMeet(before, after) ? "" : "has majorities that the one before it does not meet";
}

}  // namespace

EntryPtr MembershipChecker::EntryOn(ServerId server, LogIndex index, Term term) const {
  const coord::SimDisk& disk = *disks_.at(server);
  if (index < disk.durable_first() || index > disk.durable_last()) return nullptr;
  const EntryPtr& entry = disk.durable_entries()[index - disk.durable_first()];
  return entry->term == term ? entry : nullptr;
}

bool MembershipChecker::OnApply(ServerId server, const coord::CommittedBatch& batch) {
  const bool is_first = batch.index > newest_;
  newest_ = std::max(newest_, batch.index);
  EntryPtr entry = EntryOn(server, batch.index, batch.term);
  // Its own may be gone: behind a snapshot that it installs, or with a folder.
  for (auto disk = disks_.begin(); entry == nullptr && disk != disks_.end(); ++disk) {
    entry = EntryOn(disk->first, batch.index, batch.term);
  }
  if (entry == nullptr || entry->type != EntryType::kMembership) {
    if (entry != nullptr && committed_.contains(batch.index)) {
      violations_.Add("memberships", "server {} has none at {}, others do", server, batch.index);
    }
    return is_first;
  }
  const absl::StatusOr<Membership> membership = coord::raft::DecodeMembership(entry->payload);
  if (!membership.ok()) {
    violations_.Add("memberships", "server {}, entry {}: {}", server, batch.index,
                    membership.status().ToString());
  } else if (is_first) {
    OnCommitted(server, batch.index, *membership);
  } else if (const auto known = committed_.find(batch.index);
             known == committed_.end() || known->second != *membership) {
    violations_.Add("memberships", "server {} has another one at {} than others", server,
                    batch.index);
  }
  return is_first;
}

void MembershipChecker::OnCommitted(ServerId server, LogIndex index,
                                    const Membership& membership) {
  const std::string_view why = WhyNotBehind(committed_.rbegin()->second, membership);
  if (!why.empty()) {
    violations_.Add("memberships", "the one that server {} applied at {} {}", server, index, why);
  }
  committed_[index] = membership;
}

bool MembershipChecker::IsOnMajority(const Entry& entry, const Membership& membership,
                                     const std::set<ServerId>& emptied) const {
  Servers holders = emptied;
  for (const auto& [server, disk] : disks_) {
    const bool in_snapshot = disk->durable_first() > entry.index;
    if (in_snapshot || EntryOn(server, entry.index, entry.term) != nullptr) holders.insert(server);
  }
  return CanDecide(membership, holders);
}

void MembershipChecker::CheckUnderWay(const std::set<ServerId>& emptied) {
  for (const auto& [server, disk] : disks_) {
    const std::vector<EntryPtr>& entries = disk->durable_entries();
    const size_t known =
        newest_ < disk->durable_first() ? 0 : newest_ - disk->durable_first() + 1;
    EntryPtr before;
    Membership held = committed_.rbegin()->second;
    for (size_t i = known; i < entries.size(); ++i) {
      if (entries[i]->type != EntryType::kMembership) continue;
      const absl::StatusOr<Membership> membership =
          coord::raft::DecodeMembership(entries[i]->payload);
      if (!membership.ok() || *membership == held) continue;  // says again who is in
      if (before != nullptr && !IsOnMajority(*before, held, emptied)) {
        violations_.Add("memberships",
                        "server {} has the change of entry {} on its disk, before that of entry {} "
                        "is committed",
                        server, entries[i]->index, before->index);
      }
      before = entries[i];
      held = *membership;
    }
  }
}

}  // namespace bellwether::sim

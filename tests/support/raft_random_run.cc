#include "tests/support/raft_random_run.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bellwether::coord::raft {
namespace {

uint32_t FirstVoters(RandomRun::Kind kind, base::Random& random) {
  if (kind == RandomRun::Kind::kMemberChanges) return random.Chance(0.5) ? 3 : 5;
  return static_cast<uint32_t>(random.Chance(0.5) ? 3 : random.Between(1, 5));
}

}  // namespace

RandomRun::RandomRun(uint64_t seed, Kind kind)
    : random_(seed),
      kind_(kind),
      voters_(FirstVoters(kind, random_)),
      servers_(voters_ + (kind != Kind::kAny || random_.Chance(0.5) ? 2 : 0)),
      cluster_(voters_, random_.Next(), RandomOptions(), servers_ - voters_) {
  if (kind == Kind::kAny) {
    DecideMixture();
  } else {
    faults_ = 0.004;
  }
}

void RandomRun::DecideMixture() {
  drop_ = random_.Chance(0.5) ? 0.05 : 0;
  duplicate_ = random_.Chance(0.5) ? 0.05 : 0;
  reorder_ = random_.Chance(0.5) ? 0.2 : 0;
  sync_ = random_.Chance(0.5) ? 0.9 : 0.2;
  wipes_ = random_.Chance(0.5);
  if (random_.Chance(0.5)) transfers_ = 0.003;
  if (random_.Chance(0.5)) snapshots_ = random_.Chance(0.5) ? 0.03 : 0.003;
  faults_ = random_.Chance(0.5) ? 0.004 : 0.02;
}

Options RandomRun::RandomOptions() {
  Options options;
  options.election_timeout_ticks = 10;
  options.heartbeat_ticks = 2;
  if (random_.Chance(0.5)) {
    options.append_bytes_max = 100;
    options.inflight_appends_max = 2;
    options.tail_bytes_max = 200;
    options.unapplied_bytes_max = 100;
    options.uncommitted_bytes_max = 50;
    options.readmission_lag_entries = 3;
  }
  return options;
}

void RandomRun::Steps(int steps) {
  for (int i = 0; i < steps; ++i) Step();
}

bool RandomRun::HealAndConverge() {
  cluster_.Heal();
  for (uint32_t id = 1; id <= servers_; ++id) {
    cluster_.ReleaseDisk(id);
    if (!cluster_.IsUp(id)) cluster_.Restart(id);
  }
  for (int round = 0; round < 20 && !Converged(); ++round) {
    cluster_.TickAll(20);
    if (auto leader = cluster_.Leader()) (void)cluster_.Propose(*leader, {"last"});
  }
  cluster_.TickAll(10);
  return Converged();
}

int RandomRun::joint() {
  int count = 0;
  for (const EntryPtr& entry : cluster_.applied(cluster_.Leader().value_or(1))) {
    if (entry->type != EntryType::kMembership) continue;
    if (DecodeMembership(entry->payload)->IsJoint()) ++count;
  }
  return count;
}

int RandomRun::readmitted() {
  int count = 0;
  for (uint32_t id = 1; id <= servers_; ++id) {
    const FakeDisk& disk = cluster_.disk(id);
    if (disk.folder_id.low() > 1 && disk.hard_state.standing == Standing::kVoter) ++count;
  }
  return count;
}

// From what `id` believes.
void RandomRun::ChangeMembers(uint32_t id) {
  std::vector<Member> members = cluster_.core(id).membership().members;
  const int64_t least = kind_ == Kind::kAny ? 1 : 2;
  for (int64_t servers = random_.Between(least, 2); servers > 0; --servers) {
    const ServerId server(RandomServer());
    auto found = std::find_if(members.begin(), members.end(),
                              [server](const Member& member) { return member.id == server; });
    if (found == members.end()) {
      members.push_back({server, "", false});
    } else if (random_.Chance(0.5)) {
      found->voter = !found->voter;
    } else {
      members.erase(found);
    }
  }
  const auto voters = std::count_if(members.begin(), members.end(),
                                    [](const Member& member) { return member.voter; });
  // With one server wiped at a time, three voters always have a majority that counts.
  if (voters < (wipes_ ? 3 : 1)) return;
  changes_ += cluster_.ChangeMembers(id, std::move(members)).ok();
}

void RandomRun::Step() {
  const uint32_t id = RandomServer();
  if (random_.Chance(faults_)) return Fault(id);
  if (!cluster_.IsUp(id)) {
    if (random_.Chance(0.05)) cluster_.Restart(id);
    return;
  }
  if (random_.Chance(snapshots_)) {
    taken_ += cluster_.TakeSnapshot(id, random_.Chance(0.5) ? 0 : random_.Below(6));
    return;
  }
  const bool leads = cluster_.core(id).role() == Role::kLeader;
  const double change = kind_ == Kind::kAny ? 0.1 : 0.02;
  if (ChangesMembers() && leads && random_.Chance(change)) return ChangeMembers(id);
  if (random_.Chance(transfers_)) {
    const auto to = static_cast<uint32_t>(random_.Below(servers_ + 1));
    transfers_begun_ += cluster_.Transfer(id, to).ok();
    return;
  }
  const uint64_t kind = random_.Below(100);
  if (kind < 12) {
    cluster_.Tick(id);
  } else if (kind < 16) {
    if (cluster_.Propose(id, {std::to_string(proposed_), "x"}).ok()) ++proposed_;
  } else if (kind < 18) {
    if (cluster_.Read(id, next_read_++).ok()) ++reads_;
  } else if (kind < 45) {
    cluster_.TakeReadys(id);
  } else if (kind < 60) {
    if (random_.Chance(sync_)) cluster_.SyncOne(id);
  } else if (kind < 62) {
    cluster_.Fetch(id);
  } else {
    DeliverSome(id);
  }
}

void RandomRun::DeliverSome(uint32_t to) {
  std::vector<uint32_t> senders;
  for (const auto& [edge, queue] : cluster_.in_flight()) {
    if (edge.second == ServerId(to) && !queue.empty()) senders.push_back(edge.first.value());
  }
  if (senders.empty()) return;
  const uint32_t from = senders[random_.Below(senders.size())];
  const size_t size = cluster_.in_flight().at({ServerId(from), ServerId(to)}).size();
  const size_t position = random_.Chance(reorder_) ? random_.Below(size) : 0;
  if (random_.Chance(drop_)) {
    cluster_.Cut(from, to);
    cluster_.Deliver(from, to, position);
    cluster_.Mend(from, to);
  } else {
    cluster_.Deliver(from, to, position, random_.Chance(duplicate_));
  }
}

void RandomRun::Fault(uint32_t id) {
  const uint64_t kind = random_.Below(10);
  if (kind < 2) {
    if (cluster_.IsUp(id)) cluster_.Crash(id, random_.Below(3));
  } else if (kind < 3) {
    // A power cut.
    for (uint32_t server = 1; server <= servers_; ++server) {
      if (cluster_.IsUp(server) && random_.Chance(0.7)) cluster_.Crash(server, random_.Below(2));
    }
  } else if (kind < 5) {
    cluster_.Heal();
  } else if (kind < 7) {
    std::set<uint32_t> one;
    std::set<uint32_t> other;
    for (uint32_t server = 1; server <= servers_; ++server) {
      (random_.Chance(0.5) ? one : other).insert(server);
    }
    cluster_.Partition({one, other});
  } else if (kind < 8) {
    cluster_.Cut(id, RandomServer());
  } else if (wipes_ && MayWipe(id)) {
    cluster_.Wipe(id);
    ++wiped_;
  }
}

bool RandomRun::MayWipe(uint32_t id) {
  uint32_t lost = 1;
  for (uint32_t server = 1; server <= servers_; ++server) {
    const FakeDisk& disk = cluster_.disk(server);
    const bool wiped = disk.folder_id.low() > 1;  // else it was never a voter
    if (server == id || !wiped) continue;
    if (disk.hard_state.standing == Standing::kAwaitingReadmission) ++lost;
  }
  return lost <= (ChangesMembers() ? 1 : (servers_ - 1) / 2) && voters_ >= 3;
}

bool RandomRun::Converged() {
  const std::optional<uint32_t> leader = cluster_.Leader();
  if (!leader.has_value()) return false;
  const Membership& membership = cluster_.core(*leader).membership();
  if (membership.IsJoint()) return false;
  for (const Member& member : membership.members) {
    const uint32_t id = member.id.value();
    if (cluster_.core(id).standing() != Standing::kVoter) return false;
    if (cluster_.applied(id).size() != cluster_.newest_applied().value()) return false;
    const auto commands = cluster_.AppliedCommands(id);
    if (commands.empty() || commands.back() != "last") return false;
  }
  return true;
}

}  // namespace bellwether::coord::raft

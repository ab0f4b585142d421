#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

// One ensemble under random faults; RaftCluster checks safety after every step.
class RandomRun {
 public:
  explicit RandomRun(uint64_t seed)
      : random_(seed),
        voters_(static_cast<uint32_t>(random_.Chance(0.5) ? 3 : random_.Between(1, 5))),
        servers_(voters_ + (random_.Chance(0.5) ? 2 : 0)),
        cluster_(voters_, random_.Next(), RandomOptions(), servers_ - voters_) {
    drop_ = random_.Chance(0.5) ? 0.05 : 0;
    duplicate_ = random_.Chance(0.5) ? 0.05 : 0;
    reorder_ = random_.Chance(0.5) ? 0.2 : 0;
    sync_ = random_.Chance(0.5) ? 0.9 : 0.2;
    wipes_ = random_.Chance(0.5);
    if (random_.Chance(0.5)) transfers_ = 0.003;
    if (random_.Chance(0.5)) snapshots_ = random_.Chance(0.5) ? 0.03 : 0.003;
    faults_ = random_.Chance(0.5) ? 0.004 : 0.02;
  }

  void Steps(int steps) {
    for (int i = 0; i < steps; ++i) Step();
  }

  // Everything works again: within bounded time all servers apply what was acknowledged and more.
  void HealAndConverge() {
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
    EXPECT_TRUE(Converged());
  }

  int proposed() const { return proposed_; }
  int reads() const { return reads_; }
  int wiped() const { return wiped_; }
  int snapshots() const { return taken_; }
  int changes() const { return changes_; }
  // Joint memberships that were committed.
  int joint() {
    int count = 0;
    for (const EntryPtr& entry : cluster_.applied(cluster_.Leader().value_or(1))) {
      if (entry->type != EntryType::kMembership) continue;
      if (DecodeMembership(entry->payload)->IsJoint()) ++count;
    }
    return count;
  }
  int transfers() const { return transfers_begun_; }
  int installed() const { return cluster_.installed(); }
  // Servers that were wiped at least once and vote again.
  int readmitted() {
    int count = 0;
    for (uint32_t id = 1; id <= servers_; ++id) {
      const FakeDisk& disk = cluster_.disk(id);
      if (disk.folder_id.low() > 1 && disk.hard_state.standing == Standing::kVoter) ++count;
    }
    return count;
  }
  RaftCluster& cluster() { return cluster_; }

 private:
  Options RandomOptions() {
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

  bool ChangesMembers() const { return servers_ > voters_; }

  // One or two steps from what `id` believes.
  void ChangeMembers(uint32_t id) {
    std::vector<Member> members = cluster_.core(id).membership().members;
    for (uint64_t steps = random_.Between(1, 2); steps > 0; --steps) {
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

  uint32_t RandomServer() { return static_cast<uint32_t>(random_.Between(1, servers_)); }

  void Step() {
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
    if (ChangesMembers() && leads && random_.Chance(0.1)) return ChangeMembers(id);
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

  void DeliverSome(uint32_t to) {
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

  void Fault(uint32_t id) {
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

  // Beyond a minority of wiped servers nothing is promised.
  bool MayWipe(uint32_t id) {
    uint32_t lost = 1;
    for (uint32_t server = 1; server <= servers_; ++server) {
      const FakeDisk& disk = cluster_.disk(server);
      const bool wiped = disk.folder_id.low() > 1;  // else it was never a voter
      if (server == id || !wiped) continue;
      if (disk.hard_state.standing == Standing::kAwaitingReadmission) ++lost;
    }
    return lost <= (ChangesMembers() ? 1 : (servers_ - 1) / 2) && voters_ >= 3;
  }

  bool Converged() {
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

  base::Random random_;
  const uint32_t voters_;   // to begin with
  const uint32_t servers_;  // with those that may be added
  RaftCluster cluster_;
  double drop_ = 0;
  double duplicate_ = 0;
  double reorder_ = 0;
  double sync_ = 1;
  bool wipes_ = false;
  double faults_ = 0;
  double snapshots_ = 0;
  int taken_ = 0;
  double transfers_ = 0;
  int transfers_begun_ = 0;
  int changes_ = 0;
  uint64_t next_read_ = 1;
  int proposed_ = 0;
  int reads_ = 0;
  int wiped_ = 0;
};

TEST(RaftRandom, IsSafeUnderFaultsAndConvergesWhenHealed) {
  int proposed = 0;
  int reads = 0;
  int wiped = 0;
  int readmitted = 0;
  int snapshots = 0;
  int installed = 0;
  int transfers = 0;
  int changes = 0;
  int joint = 0;
  for (uint64_t seed = 1; seed <= 300 / BELLWETHER_SEEDS_DIVISOR; ++seed) {
    SCOPED_TRACE(seed);
    RandomRun run(seed);
    run.Steps(10000);
    proposed += run.proposed();
    reads += run.reads();
    wiped += run.wiped();
    snapshots += run.snapshots();
    installed += run.installed();
    transfers += run.transfers();
    changes += run.changes();
    run.HealAndConverge();
    readmitted += run.readmitted();
    joint += run.joint();
    if (HasFailure()) {
      const std::string trace = run.cluster().TakeTrace();
      ADD_FAILURE() << "seed " << seed << "\n"
                    << trace.substr(trace.size() - std::min<size_t>(trace.size(), 50000));
      return;
    }
  }
  RecordProperty("proposed", proposed);
  RecordProperty("reads", reads);
  RecordProperty("wiped", wiped);
  RecordProperty("readmitted", readmitted);
  RecordProperty("snapshots", snapshots);
  RecordProperty("installed", installed);
  RecordProperty("transfers", transfers);
  RecordProperty("changes", changes);
  RecordProperty("joint", joint);
  // A run that did too little proves nothing.
  EXPECT_GT(proposed, 5000 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(reads, 5000 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(wiped, 200 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(readmitted, 50 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(snapshots, 500 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(installed, 50 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(transfers, 200 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(changes, 100 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(joint, 10 / BELLWETHER_SEEDS_DIVISOR);
}

}  // namespace
}  // namespace bellwether::coord::raft

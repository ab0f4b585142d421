// Snapshots end to end in a simulated ensemble: taken, kept, fetched, installed, and what a crash
// leaves of each step.

#include <optional>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

// Servers that take a snapshot every few entries.
class Snapshotting : public Ensemble {
 public:
  Snapshotting(uint32_t servers, uint64_t seed, uint64_t snapshot_entries = 10)
      : Ensemble(servers, seed), servers_(servers) {
    for (uint32_t id = 1; id <= servers; ++id) {
      options(id).snapshot_entries = snapshot_entries;
      options(id).snapshot_fetch.chunk_bytes = 64;
      options(id).check_invariants = true;
    }
  }

  // One entry each, applied before the next. False when one was not.
  bool ProposeMany(uint32_t id, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string command = "command " + std::to_string(proposed.size());
      if (!ProposeAndWait(id, command).ok()) return false;
      proposed.push_back(command);
      const auto applied = [&] { return at(id).state_machine.commands.size() == proposed.size(); };
      if (!Until(applied)) return false;
    }
    return true;
  }
  bool WaitForAllApplied() {
    return Until([this] { return AllApplied(proposed); });
  }
  LogIndex SnapshotOf(uint32_t id) { return at(id).replica.status().snapshot_index; }
  // Until the log of the server has been cut.
  bool WaitForCompaction(uint32_t id) {
    return Until([this, id] { return at(id).log.FirstIndex() > LogIndex(1); });
  }

  // Starts all, and crashes a follower: the leader's log no longer has what it misses.
  bool LeaveOneBehind(int commands, uint32_t& leader, uint32_t& follower) {
    leader = StartAndElect();
    if (leader == 0) return false;
    follower = WaitForFollower(leader);
    Crash(follower);
    return ProposeMany(leader, commands) && WaitForCompaction(leader);
  }

  std::vector<std::string> proposed;

 private:
  const uint32_t servers_;
};

TEST(Snapshots, AreTakenAndTheLogIsCutBehindTheOlderOne) {
  Snapshotting ensemble(1, 1);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ASSERT_TRUE(ensemble.ProposeMany(1, 50));
  ASSERT_TRUE(ensemble.WaitForCompaction(1));
  ensemble.scheduler.RunFor(absl::Milliseconds(500));
  const LogIndex newest = ensemble.SnapshotOf(1);
  EXPECT_GT(newest, LogIndex(20));
  EXPECT_LT(ensemble.at(1).log.FirstIndex(), newest) << "the log reaches back to the older one";
  EXPECT_GE(ensemble.CounterOf(1, "bell_snapshots_taken_total"), 2u);
}

// R20: nothing is applied twice, or left out.
TEST(Snapshots, ARestartContinuesFromTheNewestAndTheLogBehindIt) {
  Snapshotting ensemble(1, 2);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ASSERT_TRUE(ensemble.ProposeMany(1, 37));
  ASSERT_TRUE(ensemble.WaitForCompaction(1));
  ensemble.Crash(1);
  ensemble.Start(1);
  ASSERT_TRUE(ensemble.WaitForAllApplied());
  EXPECT_THAT(ensemble.at(1).state_machine.restored, Not(IsEmpty()));
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  EXPECT_TRUE(ensemble.ProposeMany(1, 20));
  EXPECT_TRUE(ensemble.WaitForAllApplied());
}

TEST(Snapshots, AFollowerThatMissedWhatIsCompactedGetsOne) {
  Snapshotting ensemble(3, 3);
  uint32_t leader = 0;
  uint32_t follower = 0;
  ASSERT_TRUE(ensemble.LeaveOneBehind(60, leader, follower));
  ensemble.Start(follower);
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(ensemble.proposed); }));
  EXPECT_EQ(ensemble.CounterOf(follower, "bell_snapshots_installed_total"), 1u);
  EXPECT_THAT(ensemble.at(follower).state_machine.restored, Not(IsEmpty()));
  // It follows again, and what it installed survives it.
  ASSERT_TRUE(ensemble.ProposeMany(leader, 5));
  ASSERT_TRUE(ensemble.WaitForAllApplied());
  ensemble.Crash(follower);
  ensemble.Start(follower);
  EXPECT_TRUE(ensemble.WaitForAllApplied());
}

TEST(Snapshots, AWipedServerIsReadmittedThroughOne) {
  Snapshotting ensemble(3, 4);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ASSERT_TRUE(ensemble.ProposeMany(leader, 60));
  ASSERT_TRUE(ensemble.WaitForCompaction(leader));
  ensemble.CrashAndWipe(follower);
  ensemble.Start(follower);
  ASSERT_TRUE(ensemble.WaitForAllApplied());
  EXPECT_TRUE(ensemble.Until([&] {
    return ensemble.at(follower).replica.status().leadership.role == Role::kFollower;
  })) << "a voter again";
}

// The transfer takes its time, and is cut off again and again.
TEST(Snapshots, ATransferGoesOnWhereItWasCutOff) {
  Snapshotting ensemble(3, 5);
  for (uint32_t id = 1; id <= 3; ++id) {
    ensemble.options(id).snapshot_fetch.bytes_per_second = 640;  // a piece every 100 ms
    ensemble.options(id).snapshot_entries = 200;
  }
  uint32_t leader = 0;
  uint32_t follower = 0;
  ASSERT_TRUE(ensemble.LeaveOneBehind(410, leader, follower));
  const int64_t whole = static_cast<int64_t>(ensemble.at(leader).snapshots->Newest()->file_bytes);
  const std::string peer = fmt::format("peer=\"{}\"", follower);
  const auto sent = [&] { return ensemble.GaugeOf(leader, "bell_snapshot_sent_bytes", peer); };
  const auto total = [&] { return ensemble.GaugeOf(leader, "bell_snapshot_total_bytes", peer); };
  const auto received = [&] { return ensemble.GaugeOf(follower, "bell_snapshot_received_bytes"); };
  ensemble.Start(follower);
  for (int i = 0; i < 5; ++i) {
    ensemble.scheduler.RunFor(absl::Milliseconds(400));
    EXPECT_GT(received(), 0);
    EXPECT_GE(sent(), received());
    EXPECT_LT(sent(), whole);
    EXPECT_EQ(total(), whole);
    ensemble.Crash(follower);
    EXPECT_TRUE(ensemble.Until([&] { return sent() == 0 && total() == 0; })) << "it is gone";
    ensemble.Start(follower);
  }
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(ensemble.proposed); },
                             absl::Seconds(60)));
  EXPECT_EQ(ensemble.CounterOf(follower, "bell_snapshots_installed_total"), 1u);
  EXPECT_EQ(received(), 0) << "it has all of it";
  EXPECT_EQ(sent(), 0);
  EXPECT_EQ(total(), 0);
}

// R17, R18: whatever the moment of the crash, what is found afterwards fits together.
TEST(Snapshots, CrashesAtAnyMomentLeaveAStateThatContinues) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Snapshotting ensemble(3, seed, 5);
    ensemble.StartAll();
    uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u);
    const uint32_t victim = ensemble.WaitForFollower(leader);
    for (int round = 0; round < 4; ++round) {
      ensemble.Crash(victim);
      ASSERT_TRUE(ensemble.ProposeMany(leader, 20));
      ensemble.Start(victim);
      ensemble.snapshots_folder(victim).CrashAfter(ensemble.scheduler.random().Below(25));
      ensemble.scheduler.RunFor(
          ensemble.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(150)));
      ensemble.Crash(victim);
      ensemble.Start(victim);
      leader = ensemble.WaitForLeader();
      ASSERT_NE(leader, 0u);
      ASSERT_TRUE(ensemble.WaitForAllApplied());
    }
  }
}

// Nothing is written meanwhile, so that no other one takes its place by itself.
TEST(Snapshots, OneThatRotsIsTakenAnewForWhoNeedsIt) {
  Snapshotting ensemble(3, 8);
  uint32_t leader = 0;
  uint32_t follower = 0;
  ASSERT_TRUE(ensemble.LeaveOneBehind(60, leader, follower));
  std::optional<absl::StatusOr<SnapshotInfo>> newest;
  ensemble.at(leader).replica.SaveSnapshot(
      [&newest](absl::StatusOr<SnapshotInfo> info) { newest = std::move(info); });
  ASSERT_TRUE(ensemble.Until([&newest] { return newest.has_value(); }));
  ASSERT_TRUE(newest->ok()) << newest->status();
  const raft::SnapshotMeta& rotten = (*newest)->meta;
  ensemble.snapshots_folder(leader).Damage(
      fmt::format("snapshot-{}-{}", rotten.index, rotten.term), (*newest)->file_bytes / 2);
  ensemble.Start(follower);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(ensemble.proposed); },
                             absl::Seconds(20)));
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.SnapshotOf(follower) == rotten.index; }))
      << "the same, written once more";
  EXPECT_EQ(ensemble.CounterOf(leader, "bell_snapshots_damaged_total"), 1u);
  ensemble.Crash(leader);
  ensemble.Start(leader);
  EXPECT_TRUE(ensemble.WaitForAllApplied()) << "it goes on from what took its place";
}

TEST(Snapshots, AServerThatOffersOneAndDiesIsReplacedByWhoLeadsNext) {
  Snapshotting ensemble(5, 6, 20);
  for (uint32_t id = 1; id <= 5; ++id) {
    ensemble.options(id).snapshot_fetch.bytes_per_second = 640;
  }
  uint32_t leader = 0;
  uint32_t follower = 0;
  ASSERT_TRUE(ensemble.LeaveOneBehind(60, leader, follower));
  ensemble.Start(follower);
  ensemble.scheduler.RunFor(absl::Milliseconds(300));
  ensemble.Crash(leader);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(ensemble.proposed); },
                             absl::Seconds(60)));
}

TEST(Snapshots, AFullDiskOnlyPutsThemOff) {
  Snapshotting ensemble(1, 7);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ensemble.snapshots_folder(1).SetCapacity(0);
  ASSERT_TRUE(ensemble.ProposeMany(1, 30));
  ensemble.scheduler.RunFor(absl::Seconds(1));
  EXPECT_EQ(ensemble.SnapshotOf(1), LogIndex());
  EXPECT_FALSE(ensemble.at(1).fatal.has_value());
  ensemble.snapshots_folder(1).SetCapacity(uint64_t{1} << 40);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.SnapshotOf(1) > LogIndex(); },
                             absl::Seconds(20)));
}

}  // namespace
}  // namespace bellwether::coord

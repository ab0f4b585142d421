// Snapshots and the compaction of the log: section 7 of the Raft paper, chapter 5 of the thesis.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coord/raft/readmission.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Three servers; 3 was away while 1, which leads, has compacted all that it lacks.
class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() : cluster_(3) {
    cluster_.Elect(1);
    cluster_.Crash(3);
    Propose("a");
    Propose("b");
    cluster_.TakeSnapshot(1);
    Propose("c");
    cluster_.Restart(3);
    cluster_.TakeTrace();
  }

  void Propose(const std::string& command) {
    ASSERT_TRUE(cluster_.Propose(1, {command}).ok());
    cluster_.RunUntilQuiet();
  }

  // A heartbeat of server 1 and what follows from it.
  void Beat() {
    cluster_.Tick(1, 5);
    cluster_.RunUntilQuiet();
  }

  RaftCluster cluster_;
};

TEST_F(SnapshotTest, Section7LaggingFollowerGetsTheSnapshotAndThenTheRest) {
  Beat();
  EXPECT_THAT(cluster_.AppliedCommands(3), ElementsAre("a", "b", "c"));
  EXPECT_EQ(cluster_.core(3).snapshot(), cluster_.core(1).snapshot());
  EXPECT_EQ(cluster_.core(3).compacted_index(), LogIndex(3));
  EXPECT_EQ(cluster_.disk(3).FirstIndex(), LogIndex(4));
  EXPECT_FALSE(cluster_.core(1).Peers().at(1).needs_snapshot);
}

TEST_F(SnapshotTest, Section7EntriesKeptBelowTheSnapshotSpareIt) {
  cluster_.Crash(3);
  Propose("d");
  cluster_.TakeSnapshot(1, /*keep=*/3);
  cluster_.Restart(3);
  cluster_.TakeSnapshot(2);  // not the leader: nobody gets anything from it
  cluster_.TakeTrace();
  Beat();
  EXPECT_THAT(cluster_.TakeTrace(), HasSubstr("3 receives snapshot 5/1 from 1"));
  Propose("e");
  cluster_.Crash(3);
  Propose("f");
  cluster_.TakeSnapshot(1, /*keep=*/1);
  cluster_.Restart(3);
  cluster_.TakeTrace();
  Beat();
  EXPECT_THAT(cluster_.TakeTrace(), Not(HasSubstr("receives")));
  EXPECT_EQ(cluster_.AppliedCommands(3), cluster_.AppliedCommands(1));
}

// The transfer may take long: word of the snapshot is the heartbeat and carries read rounds.
TEST_F(SnapshotTest, Section7HeartbeatsAndReadsGoOnDuringTheTransfer) {
  cluster_.HoldDisk(3);  // nothing arrives
  cluster_.Crash(2);
  Beat();
  EXPECT_TRUE(cluster_.core(1).Peers().at(1).needs_snapshot);
  cluster_.TickAll(60);
  EXPECT_EQ(cluster_.Leader(), 1u);
  EXPECT_EQ(cluster_.core(3).leader(), ServerId(1));
  EXPECT_LT(cluster_.core(3).ticks_since_leader_contact(), 6u);
  ASSERT_TRUE(cluster_.Read(1, 1).ok());
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.reads(1).size(), 1u);
}

TEST_F(SnapshotTest, IsAskedForAgainByTheNextHeartbeatWhenItCannotBeHad) {
  cluster_.HoldDisk(3);
  Beat();
  cluster_.Cut(1, 3);
  cluster_.Fetch(3);
  EXPECT_THAT(cluster_.TakeTrace(), HasSubstr("3 can't fetch snapshot 3/1 from 1"));
  EXPECT_TRUE(cluster_.applied(3).empty());
  cluster_.Heal();
  cluster_.ReleaseDisk(3);
  cluster_.RunUntilQuiet();
  EXPECT_TRUE(cluster_.applied(3).empty());
  Beat();
  EXPECT_EQ(cluster_.applied(3).size(), 4u);
}

// The source goes on: the older snapshot that arrives at last is as good.
TEST_F(SnapshotTest, AnOlderSnapshotThanTheNewestIsInstalled) {
  cluster_.HoldDisk(3);
  Beat();
  Propose("d");
  const SnapshotMeta older = cluster_.core(1).snapshot();
  cluster_.TakeSnapshot(1, /*keep=*/10);
  Beat();
  cluster_.disk(3).AddSnapshot(older);
  cluster_.core(3).OnSnapshotReceived(older);
  cluster_.ReleaseDisk(3);
  Beat();
  EXPECT_THAT(cluster_.TakeTrace(), HasSubstr("3 restores snapshot 3/1"));
  EXPECT_THAT(cluster_.AppliedCommands(3), ElementsAre("a", "b", "c", "d"));
}

// R17: the snapshot is durable, the reset of the log is not.
TEST_F(SnapshotTest, CrashBetweenSnapshotAndLogLosesNothing) {
  cluster_.HoldDisk(3);
  Beat();
  cluster_.Fetch(3);
  cluster_.TakeReadys(3);
  ASSERT_EQ(cluster_.disk(3).pending(), 1u);
  EXPECT_EQ(cluster_.applied(3).size(), 3u) << "the state machine need not wait for the log";
  cluster_.Crash(3);
  EXPECT_EQ(cluster_.disk(3).LastIndex(), LogIndex(1));
  cluster_.Restart(3);
  EXPECT_EQ(cluster_.core(3).commit(), LogIndex(3));
  Beat();
  EXPECT_EQ(cluster_.AppliedCommands(3), cluster_.AppliedCommands(1));
}

TEST_F(SnapshotTest, IsAcknowledgedWhenTheLogIsReset) {
  cluster_.HoldDisk(3);
  Beat();
  cluster_.Fetch(3);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(1).Peers().at(1).match, LogIndex(1));
  cluster_.ReleaseDisk(3);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(1).Peers().at(1).match, LogIndex(4));
}

Message WordOfSnapshot(uint64_t index, uint64_t term) {
  InstallSnapshot request;
  request.snapshot.index = LogIndex(index);
  request.snapshot.term = Term(term);
  request.snapshot.membership.members = {{ServerId(1), ""}, {ServerId(2), ""}, {ServerId(3), ""}};
  return Message{ServerId(1), ServerId(2), Term(1), request};
}

AppendResponse Answer(RaftCluster& cluster) {
  cluster.TakeReadys(2);
  const auto& sent = cluster.in_flight().at({ServerId(2), ServerId(1)});
  return std::get<AppendResponse>(sent.back().body);
}

// Paper figure 13, step 6: with the snapshot's last entry in its log it needs no snapshot.
TEST_F(SnapshotTest, FollowerThatHasTheEntryCommitsInstead) {
  cluster_.Cut(2, 1);
  ASSERT_TRUE(cluster_.Propose(1, {"d"}).ok());
  cluster_.RunUntilQuiet();
  ASSERT_EQ(cluster_.core(2).commit(), LogIndex(4));
  cluster_.core(2).Step(WordOfSnapshot(5, 1));
  EXPECT_FALSE(Answer(cluster_).rejected);
  EXPECT_EQ(Answer(cluster_).match, LogIndex(5));
  EXPECT_EQ(cluster_.core(2).commit(), LogIndex(5));
  cluster_.core(2).Step(WordOfSnapshot(6, 1));
  EXPECT_TRUE(Answer(cluster_).rejected);
}

// Paper figure 13, step 6: it keeps what it may have acknowledged behind the snapshot.
TEST_F(SnapshotTest, ReceivedSnapshotOfEntriesThatAreThereResetsNothing) {
  cluster_.Cut(2, 1);
  ASSERT_TRUE(cluster_.Propose(1, {"d", "e"}).ok());
  cluster_.RunUntilQuiet();
  SnapshotMeta snapshot = std::get<InstallSnapshot>(WordOfSnapshot(5, 1).body).snapshot;
  cluster_.core(2).OnSnapshotReceived(snapshot);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(2).last_index(), LogIndex(6));
  EXPECT_EQ(cluster_.applied(2).size(), 5u);
  EXPECT_EQ(cluster_.disk(2).FirstIndex(), LogIndex(1));
}

TEST_F(SnapshotTest, CommittedSnapshotOrALeadersOwnChangesNothing) {
  const SnapshotMeta snapshot = cluster_.core(1).snapshot();
  cluster_.core(2).OnSnapshotReceived(snapshot);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(2).snapshot().index, LogIndex(0));
  cluster_.core(1).OnSnapshotReceived(std::get<InstallSnapshot>(WordOfSnapshot(9, 1).body).snapshot);
  EXPECT_EQ(cluster_.core(1).commit(), LogIndex(4));
  EXPECT_EQ(cluster_.Leader(), 1u);
}

// An append that begins before what is compacted here: that part is committed, so it matches.
TEST_F(SnapshotTest, AppendFromBeforeTheBaseIsAccepted) {
  cluster_.TakeSnapshot(2);
  ASSERT_EQ(cluster_.core(2).compacted_index(), LogIndex(4));
  AppendRequest request;
  request.prev_index = LogIndex(1);
  request.prev_term = Term(1);
  request.entries = {cluster_.applied(1)[1], cluster_.applied(1)[2]};
  cluster_.core(2).Step(Message{ServerId(1), ServerId(2), Term(1), request});
  EXPECT_FALSE(Answer(cluster_).rejected);
  EXPECT_EQ(Answer(cluster_).match, LogIndex(4));
  EXPECT_EQ(cluster_.core(2).last_index(), LogIndex(4));
}

TEST_F(SnapshotTest, LogBehindASnapshotIsStillMatchedByTerm) {
  Beat();
  ASSERT_EQ(cluster_.core(3).compacted_index(), LogIndex(3));
  // 3 leads and loses an entry that it alone has; 1 then overwrites it.
  cluster_.Elect(3);
  cluster_.Partition({{3}, {1, 2}});
  ASSERT_TRUE(cluster_.Propose(3, {"lost"}).ok());
  cluster_.RunUntilQuiet();
  cluster_.Elect(1);
  Propose("kept");
  cluster_.Heal();
  cluster_.TickAll(10);
  EXPECT_THAT(cluster_.AppliedCommands(3), ElementsAre("a", "b", "c", "kept"));
}

// The entry that readmits the wiped server reaches it inside a snapshot, which doesn't tell of it.
TEST(RaftSnapshot, ServerReadmittedInsideASnapshotIsReadmittedAgain) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Wipe(3);
  cluster.HoldDisk(3);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();  // its new term is not durable, so that 3 says nothing
  cluster.SyncOne(3);
  cluster.RunUntilQuiet();
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.disk(1).log().back()->type, EntryType::kReadmit);
  const uint64_t readmission = cluster.core(1).last_index().value();
  cluster.Crash(3);
  cluster.TakeSnapshot(1);
  cluster.Restart(3);
  cluster.TickAll(100);
  EXPECT_EQ(cluster.core(3).snapshot().index, LogIndex(readmission));
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
  EXPECT_EQ(cluster.core(1).last_index(), LogIndex(readmission + 1));
}

Options OptionsOf(const FakeDisk& disk) {
  Options options;
  options.self = ServerId(1);
  options.membership.members = {{ServerId(1), ""}, {ServerId(2), ""}};
  options.folder_id = base::Uuid(1, 1);
  options.snapshot = disk.snapshot();
  return options;
}

// R17: the snapshot was durable before the term of the leader that named it.
TEST(RaftSnapshot, SnapshotOfALaterTermBringsItsTerm) {
  FakeDisk disk;
  SnapshotMeta snapshot{LogIndex(7), Term(4), {}};
  snapshot.membership.members = {{ServerId(1), ""}, {ServerId(3), ""}};
  disk.AddSnapshot(snapshot);
  disk.ResetLogBehindSnapshot();
  base::Random random(1);
  const HardState behind{Term(3), ServerId(2), Standing::kVoter};
  auto core = RaftCore::Create(OptionsOf(disk), behind, disk, random);
  ASSERT_TRUE(core.ok()) << core.status();
  EXPECT_EQ((*core)->term(), Term(4));
  EXPECT_EQ((*core)->last_index(), LogIndex(7));
  EXPECT_EQ((*core)->TermAt(LogIndex(7)), Term(4));
  EXPECT_EQ((*core)->commit(), LogIndex(7));
  EXPECT_EQ((*core)->membership(), snapshot.membership) << "not that of the options";
  const std::optional<Ready> ready = (*core)->TakeReady();
  ASSERT_TRUE(ready.has_value() && ready->hard_state.has_value());
  EXPECT_EQ(*ready->hard_state, (HardState{Term(4), ServerId(0), Standing::kVoter}));
}

// R18: the owner resets such a log; the core refuses to guess.
TEST(RaftSnapshot, SnapshotNewerThanTheLogIsNotGuessedAt) {
  FakeDisk disk;
  SnapshotMeta snapshot{LogIndex(7), Term(4), OptionsOf(disk).membership};
  disk.AddSnapshot(snapshot);
  base::Random random(1);
  const HardState hard_state{Term(4), ServerId(0), Standing::kVoter};
  EXPECT_TRUE(absl::IsDataLoss(
      RaftCore::Create(OptionsOf(disk), hard_state, disk, random).status()));
  disk.ResetLogBehindSnapshot();
  EXPECT_TRUE(RaftCore::Create(OptionsOf(disk), hard_state, disk, random).ok());
}

}  // namespace
}  // namespace bellwether::coord::raft

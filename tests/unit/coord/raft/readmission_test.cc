#include "coord/raft/readmission.h"

#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

TEST(Readmission, RoundTrips) {
  const Readmission readmission{ServerId(7), base::Uuid(1, 2)};
  EXPECT_EQ(DecodeReadmission(Encode(readmission)), readmission);
}

TEST(Readmission, RefusesOtherBytes) {
  const std::string payload = Encode({ServerId(7), base::Uuid(1, 2)});
  EXPECT_EQ(DecodeReadmission(""), std::nullopt);
  EXPECT_EQ(DecodeReadmission(payload.substr(1)), std::nullopt);
  EXPECT_EQ(DecodeReadmission(payload + "x"), std::nullopt);
  EXPECT_EQ(DecodeReadmission("\2" + payload.substr(1)), std::nullopt);
}

TEST(Readmission, AWipedServerIsReadmittedAndVotes) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.Wipe(3);
  EXPECT_EQ(cluster.core(3).standing(), Standing::kAwaitingReadmission);
  cluster.TickAll(10);
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
  EXPECT_EQ(cluster.disk(3).hard_state.standing, Standing::kVoter);
  cluster.Elect(3);
}

TEST(Readmission, AnAwaitingServerNeitherStandsNorVotesNorCounts) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.Crash(2);
  cluster.Wipe(3);
  cluster.Tick(3, 100);
  EXPECT_EQ(cluster.core(3).role(), Role::kFollower);
  ASSERT_TRUE(cluster.Propose(1, {"b"}).ok());
  ASSERT_TRUE(cluster.Read(1, 1).ok());
  cluster.TickAll(10);
  EXPECT_EQ(cluster.AppliedCommands(1), std::vector<std::string>{"a"});
  EXPECT_EQ(cluster.disk(3).log().size(), 5u) << "it receives entries";
  cluster.TickAll(60);
  EXPECT_EQ(cluster.Leader(), std::nullopt) << "nobody may be elected by its vote";
  EXPECT_TRUE(cluster.reads(1).empty());
}

// The server that only the wiped folder could replace comes back: nothing acknowledged is lost.
TEST(Readmission, AcknowledgedEntriesOutliveTheWipe) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1, 3}, {2}});
  ASSERT_TRUE(cluster.Propose(1, {"acknowledged"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.AppliedCommands(1).size(), 1u);
  cluster.Wipe(3);
  cluster.Partition({{1}, {2, 3}});
  cluster.TickAll(100);
  EXPECT_EQ(cluster.Leader(), std::nullopt) << "2 lacks the entry and 3 may not vote";
  cluster.Heal();
  cluster.TickAll(100);
  EXPECT_EQ(cluster.AppliedCommands(2), std::vector<std::string>{"acknowledged"});
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
}

TEST(Readmission, IsProposedOncePerFolder) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Crash(2);
  cluster.Wipe(3);
  cluster.TickAll(12);
  EXPECT_EQ(cluster.core(1).last_index(), LogIndex(3)) << "no-op, members, one readmission";
  cluster.Wipe(3);
  cluster.Restart(2);
  cluster.Tick(1, 1);
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
  ASSERT_TRUE(cluster.Read(1, 1).ok());
  cluster.RunUntilQuiet();
  cluster.TickAll(10);
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
  EXPECT_EQ(cluster.core(1).last_index(), LogIndex(4)) << "and another one";
}

TEST(Readmission, IsProposedOnlyToAServerThatHasNearlyCaughtUp) {
  Options options;
  options.readmission_lag_entries = 2;
  options.inflight_appends_max = 1;
  options.append_bytes_max = 1;
  RaftCluster cluster(3, 1, options);
  cluster.Elect(1);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(cluster.Propose(1, {"x"}).ok());
  cluster.RunUntilQuiet();
  cluster.Wipe(3);
  cluster.TakeTrace();
  cluster.TickAll(10);
  const std::string trace = cluster.TakeTrace();
  EXPECT_LT(trace.find("3 persists 8/1"), trace.find("1 persists 12/1 readmit")) << trace;
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
}

// What an emptied server believes of who formed the ensemble comes from its flags, and may be wrong.
TEST(Readmission, TheLogSaysWhoIsInBeforeTheServerCounts) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Wipe(3);
  cluster.TickAll(10);
  ASSERT_EQ(cluster.core(3).standing(), Standing::kVoter);
  const std::vector<EntryPtr>& log = cluster.disk(3).log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[1]->type, EntryType::kMembership);
  EXPECT_EQ(log[1]->payload, Encode(cluster.core(1).membership()));
  EXPECT_EQ(log[2]->type, EntryType::kReadmit);
}

TEST(Readmission, TheEntryThatSaysWhoIsInHoldsUpNoChange) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.HoldDisk(1);
  cluster.HoldDisk(2);
  cluster.Wipe(3);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_LT(cluster.core(1).commit(), cluster.core(1).membership_index());
  std::vector<Member> fewer = cluster.core(1).membership().members;
  fewer.pop_back();
  EXPECT_TRUE(cluster.ChangeMembers(1, fewer).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(cluster.ChangeMembers(1, fewer))) << "R6";
  cluster.ReleaseDisk(1);
  cluster.ReleaseDisk(2);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(2).membership().members, fewer);
}

// The disk is slow: until it holds the new standing, everything said is still that the server
// waits.
TEST(Readmission, CountsOnlyWhenTheNewStandingIsDurable) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.HoldDisk(1);
  cluster.HoldDisk(2);
  cluster.Wipe(3);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.disk(3).log().back()->type, EntryType::kReadmit);
  cluster.HoldDisk(3);
  cluster.ReleaseDisk(1);
  cluster.ReleaseDisk(2);
  cluster.RunUntilQuiet();
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(3).standing(), Standing::kVoter);
  EXPECT_EQ(cluster.disk(3).hard_state.standing, Standing::kAwaitingReadmission);
  EXPECT_TRUE(cluster.core(1).Peers().at(1).awaiting_readmission);
  cluster.Tick(3, 100);
  EXPECT_EQ(cluster.core(3).role(), Role::kFollower);
  cluster.ReleaseDisk(3);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.disk(3).hard_state.standing, Standing::kVoter);
  EXPECT_FALSE(cluster.core(1).Peers().at(1).awaiting_readmission);
}

TEST(Readmission, AnEntryForAnotherFolderOrServerReadmitsNobody) {
  for (const Readmission& other : {Readmission{ServerId(3), base::Uuid(3, 9)},
                                   Readmission{ServerId(2), base::Uuid(3, 2)}}) {
    RaftCluster cluster(3);
    cluster.Wipe(3);
    AppendRequest request;
    request.commit = LogIndex(1);
    request.entries.push_back(std::make_shared<Entry>(
        Entry{Term(1), LogIndex(1), EntryType::kReadmit, Encode(other)}));
    cluster.core(3).Step(Message{ServerId(1), ServerId(3), Term(1), request});
    cluster.RunUntilQuiet();
    EXPECT_EQ(cluster.applied(3).size(), 1u);
    EXPECT_EQ(cluster.core(3).standing(), Standing::kAwaitingReadmission);
  }
}

}  // namespace
}  // namespace bellwether::coord::raft

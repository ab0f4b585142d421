// One test per rule of Ongaro's thesis that the paper does not have, each with its section. More are
// in core_membership_test.cc (chapter 4), core_transfer_test.cc (section 3.10) and
// core_snapshot_test.cc (chapter 5).

#include <string>

#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"
#include "tests/unit/coord/raft/messages.h"

namespace bellwether::coord::raft {
namespace {

// Thesis section 4.2.3: servers that hear a leader don't vote, and don't even adopt the term.
TEST(RaftThesis, Section423VotesAreIgnoredInsideTheLease) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  EXPECT_TRUE(Ask(cluster, Vote(3, 2, 9, 9, 9)).after_sync.empty());
  EXPECT_TRUE(Ask(cluster, Vote(3, 1, 9, 9, 9)).after_sync.empty());
  EXPECT_EQ(cluster.core(2).term(), Term(1));
  EXPECT_EQ(cluster.Leader(), 1u);
  cluster.Tick(2, 15);
  EXPECT_TRUE(Granted(Ask(cluster, Vote(3, 2, 9, 9, 9)).after_sync));
}

// Thesis section 6.2: a leader that no majority answers gives up.
TEST(RaftThesis, Section62LeaderWithoutMajorityStepsDown) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  cluster.Tick(1, 14);
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.Tick(1, 2);
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
}

// Thesis section 9.6.
TEST(RaftThesis, Section96PreVoteChangesNothing) {
  RaftCluster cluster(3);
  const Answers answers = Ask(cluster, PreVote(2, 1, 7, 0, 0));
  EXPECT_TRUE(Granted(answers.at_once));
  EXPECT_EQ(cluster.core(1).term(), Term(0));
  EXPECT_TRUE(Granted(Ask(cluster, PreVote(3, 1, 7, 0, 0)).at_once)) << "a pre-vote is no promise";
}

TEST(RaftThesis, Section96ReturningServerDoesNotDisturb) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{3}, {1, 2}});
  for (int i = 0; i < 10; ++i) cluster.TickAll(15);
  cluster.Heal();
  cluster.TickAll(30);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
  EXPECT_EQ(cluster.core(3).leader(), ServerId(1));
}

// R15: also over a restart.
TEST(RaftThesis, Section96ServerThatWasCutOffBringsNoTermAlong) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{3}, {1, 2}});
  for (int i = 0; i < 10; ++i) cluster.TickAll(15);
  cluster.Crash(3);
  cluster.Restart(3);
  cluster.Tick(3, 200);
  EXPECT_EQ(cluster.core(3).term(), Term(1));
  cluster.Heal();
  cluster.TickAll(30);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
}

// R14: 1 and 2 don't reach each other, 3 reaches both.
TEST(RaftThesis, Section96PartialPartitionChangesNoLeader) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  cluster.Cut(1, 2);
  cluster.Cut(2, 1);
  for (int i = 0; i < 20; ++i) {
    cluster.TickAll(15);
    ASSERT_TRUE(cluster.Propose(1, {std::to_string(i)}).ok());
  }
  cluster.TickAll(5);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
  EXPECT_EQ(cluster.AppliedCommands(3).size(), 20u);
}

// R9: a pre-candidate of an old term learns the new one from the refusal.
TEST(RaftThesis, Section96RefusalBringsAnOldTermUp) {
  RaftCluster cluster(3);
  Ask(cluster, Append(2, 1, 5, 0, 0, {}));
  cluster.Tick(3, 30);
  cluster.Cut(3, 2);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(3).term(), Term(5));
}

// R10: nor is a server shut out whose term is above the leader's, which has no answer for its pre-votes:
// the leader hears of that term and gives up, and one of the new term leads them all.
TEST(RaftThesis, Section96ServerOfALaterTermComesBack) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{3}, {1, 2}});
  cluster.Tick(3, 15);
  Ask(cluster, Vote(2, 3, 9, 9, 9));
  ASSERT_EQ(cluster.core(3).term(), Term(9));
  for (int i = 0; i < 10; ++i) cluster.TickAll(15);
  ASSERT_EQ(cluster.core(1).term(), Term(1));
  cluster.Heal();
  cluster.TickAll(90);
  ASSERT_TRUE(cluster.Leader().has_value());
  for (uint32_t id : {1u, 2u, 3u}) {
    EXPECT_EQ(cluster.core(id).leader(), ServerId(*cluster.Leader()));
    EXPECT_GE(cluster.core(id).term(), Term(9));
  }
}

// R11: the server that was leader may ask, however recently it led.
TEST(RaftThesis, Section96FormerLeaderMayAskAtOnce) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  EXPECT_TRUE(Refused(Ask(cluster, PreVote(3, 2, 1, 1, 1)).at_once));
  EXPECT_TRUE(Granted(Ask(cluster, PreVote(1, 2, 1, 1, 1)).at_once));
}

// R12: granting a pre-vote doesn't postpone the granter's own election.
TEST(RaftThesis, Section96GrantingDoesNotRestartTheTimer) {
  RaftCluster cluster(3);
  for (int i = 0; i < 29; ++i) {
    cluster.Tick(1);
    Ask(cluster, PreVote(2, 1, 0, 0, 0));
  }
  EXPECT_NE(cluster.core(1).role(), Role::kFollower);
}

// Thesis section 10.2.1: the leader's write overlaps its sending, and counts when it is durable.
TEST(RaftThesis, Section1021LeaderCountsItselfOnlyWhenDurable) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.HoldDisk(1);
  cluster.Crash(3);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.disk(2).log().size(), 2u);
  EXPECT_EQ(cluster.core(1).commit(), LogIndex(1)) << "one durable copy of three";
  cluster.ReleaseDisk(1);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(1).commit(), LogIndex(2));
}

}  // namespace
}  // namespace bellwether::coord::raft

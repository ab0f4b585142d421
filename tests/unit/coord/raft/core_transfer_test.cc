// Leadership transfer: section 3.10 of Ongaro's thesis.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;

absl::StatusCode Code(const absl::Status& status) { return status.code(); }

TEST(RaftTransfer, Thesis310TargetIsBroughtUpToDateAndStandsAtOnce) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1, 2}, {3}});
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.Heal();
  ASSERT_TRUE(cluster.Transfer(1, 3).ok());
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(3)) << "it is not known what it lacks";
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 3u);
  EXPECT_EQ(cluster.core(3).term(), Term(2));
  EXPECT_THAT(cluster.AppliedCommands(3), ElementsAre("a"));
  EXPECT_EQ(cluster.core(1).leader(), ServerId(3));
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(0));
}

TEST(RaftTransfer, Thesis310TakesNoTicks) {
  RaftCluster cluster(5);
  cluster.Elect(1);
  cluster.TickAll(10);
  ASSERT_TRUE(cluster.Transfer(1, 4).ok());
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 4u);
}

TEST(RaftTransfer, SuccessorAsksForVotesWhileItsOwnIsBeingWritten) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  cluster.HoldDisk(2);
  ASSERT_TRUE(cluster.Transfer(1, 2).ok());
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(3).term(), Term(2)) << "it was asked, and votes";
  EXPECT_EQ(cluster.core(1).term(), Term(2));
  EXPECT_EQ(cluster.core(2).role(), Role::kCandidate) << "its own vote is not durable";
  cluster.ReleaseDisk(2);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 2u);
  EXPECT_EQ(cluster.core(2).term(), Term(2));
}

TEST(RaftTransfer, SuccessorWhoseLogIsNotDurableAsksLater) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  cluster.HoldDisk(2);
  cluster.HoldDisk(3);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.core(2).Step(Message{ServerId(1), ServerId(2), Term(1), TimeoutNow{}});  // come late
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(2).role(), Role::kCandidate);
  EXPECT_EQ(cluster.core(3).term(), Term(1)) << "not asked yet";
  cluster.ReleaseDisk(2);
  cluster.ReleaseDisk(3);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 2u);
}

TEST(RaftTransfer, Thesis310ProposalsWaitAndGoOnWhenItIsGivenUp) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Crash(3);
  ASSERT_TRUE(cluster.Transfer(1, 3).ok());
  EXPECT_EQ(cluster.Propose(1, {"a"}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(cluster.Read(1, 1).ok());
  cluster.TickAll(14);
  EXPECT_EQ(cluster.reads(1).size(), 1u) << "reads go on";
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(3));
  cluster.TickAll(1);
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(0));
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_TRUE(cluster.Propose(1, {"a"}).ok());
}

TEST(RaftTransfer, Thesis310LostWordIsRepeated) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  ASSERT_TRUE(cluster.Transfer(1, 2).ok());
  cluster.TakeReadys(1);
  cluster.Cut(1, 2);
  while (cluster.Deliver(1, 2)) {
  }
  cluster.Heal();
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 1u);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), 2u);
}

// Thesis section 4.2.3: the others have just heard the leader that hands over.
TEST(RaftTransfer, Thesis423LeaseDoesNotShutOutTheSuccessor) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  VoteRequest request;
  request.campaign_term = Term(2);
  request.last_index = cluster.core(2).last_index();
  request.last_term = Term(1);
  cluster.core(2).Step(Message{ServerId(3), ServerId(2), Term(2), request});
  EXPECT_EQ(cluster.core(2).term(), Term(1));
  request.leadership_transfer = true;
  cluster.core(2).Step(Message{ServerId(3), ServerId(2), Term(2), request});
  EXPECT_EQ(cluster.core(2).term(), Term(2));
}

TEST(RaftTransfer, ZeroNamesTheVoterThatHasMost) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  cluster.HoldDisk(2);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_TRUE(cluster.Transfer(1, 0).ok());
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(3));
}

TEST(RaftTransfer, RefusalsSayWhy) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  EXPECT_EQ(Code(cluster.Transfer(2, 3)), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Code(cluster.Transfer(1, 9)), absl::StatusCode::kNotFound);
  EXPECT_TRUE(cluster.Transfer(1, 1).ok()) << "it leads already";
  EXPECT_EQ(cluster.core(1).transfer_target(), ServerId(0));
  cluster.Wipe(3);
  cluster.HoldDisk(2);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_TRUE(cluster.core(1).Peers().at(1).awaiting_readmission);
  EXPECT_EQ(Code(cluster.Transfer(1, 3)), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(cluster.Transfer(1, 2).ok());
  EXPECT_TRUE(cluster.Transfer(1, 2).ok()) << "it is under way";
  EXPECT_EQ(Code(cluster.Transfer(1, 3)), absl::StatusCode::kFailedPrecondition);
  RaftCluster alone(1);
  alone.Elect(1);
  EXPECT_EQ(Code(alone.Transfer(1, 0)), absl::StatusCode::kUnavailable);
}

TEST(RaftTransfer, OnlyTheLeaderItFollowsMakesAServerStand) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  cluster.core(2).Step(Message{ServerId(3), ServerId(2), Term(1), TimeoutNow{}});
  EXPECT_EQ(cluster.core(2).role(), Role::kFollower) << "not from the leader";
  cluster.core(2).Step(Message{ServerId(1), ServerId(2), Term(0), TimeoutNow{}});
  EXPECT_EQ(cluster.core(2).role(), Role::kFollower) << "of an older term";
  cluster.Wipe(2);
  cluster.HoldDisk(1);
  cluster.HoldDisk(3);
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(2).leader(), ServerId(1));
  cluster.core(2).Step(Message{ServerId(1), ServerId(2), Term(1), TimeoutNow{}});
  EXPECT_EQ(cluster.core(2).role(), Role::kFollower) << "awaits readmission";
  cluster.core(3).Step(Message{ServerId(1), ServerId(3), Term(1), TimeoutNow{}});
  EXPECT_EQ(cluster.core(3).role(), Role::kCandidate);
  EXPECT_EQ(cluster.core(3).leader(), ServerId(0));
}

}  // namespace
}  // namespace bellwether::coord::raft

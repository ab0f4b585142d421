// Changes of membership: chapter 4 of Ongaro's thesis.

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<Member> Members(const std::vector<uint32_t>& voters,
                            const std::vector<uint32_t>& learners = {}) {
  std::vector<Member> members;
  for (uint32_t id : voters) members.push_back({ServerId(id), "", true});
  for (uint32_t id : learners) members.push_back({ServerId(id), "", false});
  return members;
}

// Servers 1 to 3, of which 1 leads, and 4 and 5 with empty folders.
class MembershipTest : public testing::Test {
 protected:
  MembershipTest() : cluster_(3, /*seed=*/1, Options(), /*spares=*/2) { cluster_.Elect(1); }

  absl::Status Change(uint32_t leader, const std::vector<uint32_t>& voters,
                      const std::vector<uint32_t>& learners = {}) {
    return cluster_.ChangeMembers(leader, Members(voters, learners));
  }

  // 4 and 5 become learners that are readmitted and have the log.
  void AddLearners() {
    ASSERT_TRUE(Change(1, {1, 2, 3}, {4, 5}).ok());
    cluster_.TickAll(12);
    ASSERT_EQ(Said(4), "1,2,3+4+5");
    ASSERT_EQ(cluster_.core(5).standing(), Standing::kVoter);
    cluster_.TakeTrace();
  }

  std::string Said(uint32_t server) { return Describe(cluster_.core(server).membership()); }

  void Propose(uint32_t server, const std::string& command) {
    ASSERT_TRUE(cluster_.Propose(server, {command}).ok());
    cluster_.RunUntilQuiet();
  }

  RaftCluster cluster_;
};

TEST_F(MembershipTest, Thesis421LearnerGetsTheLogAndNeitherStandsNorCounts) {
  Propose(1, "a");
  AddLearners();
  EXPECT_EQ(cluster_.AppliedCommands(4), cluster_.AppliedCommands(1));
  cluster_.Tick(4, 100);
  EXPECT_EQ(cluster_.core(4).role(), Role::kFollower);
  cluster_.Partition({{1, 4, 5}, {2, 3}});
  Propose(1, "b");
  EXPECT_EQ(cluster_.AppliedCommands(1).size(), 1u);
  cluster_.Tick(1, 16);
  EXPECT_EQ(cluster_.core(1).role(), Role::kFollower) << "two learners make no quorum";
}

TEST_F(MembershipTest, Thesis41LearnersAloneAreOneEntry) {
  const LogIndex before = cluster_.core(1).last_index();
  ASSERT_TRUE(Change(1, {1, 2, 3}, {4}).ok());
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(1).membership_index(), before + 1);
  EXPECT_EQ(Said(3), "1,2,3+4");
}

TEST_F(MembershipTest, Thesis43VotersChangeThroughAJointMembership) {
  AddLearners();
  ASSERT_TRUE(Change(1, {1, 4, 5}, {2}).ok());
  EXPECT_EQ(Said(1), "1,2,3+4+5 to 1,4,5+2") << "at once, committed or not";
  cluster_.RunUntilQuiet();
  for (uint32_t id : {1u, 2u, 4u, 5u}) EXPECT_EQ(Said(id), "1,4,5+2") << id;
  EXPECT_LE(cluster_.core(1).membership_index(), cluster_.core(1).commit());
  cluster_.Partition({{1, 4}, {2, 3, 5}});
  Propose(1, "a");
  EXPECT_EQ(cluster_.AppliedCommands(4).size(), 1u);
}

TEST_F(MembershipTest, Thesis43JointCommitsOnlyWithBothMajorities) {
  AddLearners();
  cluster_.Crash(4);
  cluster_.Crash(5);
  const LogIndex commit = cluster_.core(1).commit();
  ASSERT_TRUE(Change(1, {1, 4, 5}).ok());
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(2).last_index(), commit + 1) << "1, 2 and 3 have it";
  EXPECT_EQ(cluster_.core(1).commit(), commit);
  cluster_.Restart(4);
  cluster_.TickAll(6);
  EXPECT_EQ(Said(1), "1,4,5");
}

TEST_F(MembershipTest, Thesis43ElectionNeedsBothMajoritiesWhileJoint) {
  AddLearners();
  ASSERT_TRUE(Change(1, {1, 4, 5}).ok());
  for (uint32_t id : {4u, 5u}) cluster_.Cut(id, 1);
  cluster_.RunUntilQuiet();
  ASSERT_EQ(Said(2), "1,2,3+4+5 to 1,4,5");
  cluster_.Crash(1);
  cluster_.Partition({{2, 3}, {4, 5}});
  cluster_.TickAll(100);
  EXPECT_EQ(cluster_.Leader(), std::nullopt);
  cluster_.Heal();
  cluster_.TickAll(100);
  ASSERT_TRUE(cluster_.Leader().has_value());
  EXPECT_EQ(Said(*cluster_.Leader()), "1,4,5") << "the new leader completes the change";
}

TEST_F(MembershipTest, Thesis43NewLeaderCompletesAJointMembership) {
  AddLearners();
  ASSERT_TRUE(Change(1, {1, 2, 3, 4}, {5}).ok());
  cluster_.TakeReadys(1);
  for (uint32_t id : {2u, 3u, 4u, 5u}) {
    while (cluster_.Deliver(1, id)) {
    }
    cluster_.TakeReadys(id);
    while (cluster_.SyncOne(id)) {
    }
    cluster_.Cut(1, id);
  }
  cluster_.RunUntilQuiet();
  ASSERT_EQ(Said(1), "1,2,3,4+5");
  ASSERT_EQ(Said(2), "1,2,3+4+5 to 1,2,3,4+5");
  cluster_.Crash(1);
  cluster_.Heal();
  cluster_.TickAll(60);
  EXPECT_EQ(Said(2), "1,2,3,4+5");
  cluster_.Restart(1);
  cluster_.TickAll(20);
  EXPECT_EQ(Said(1), "1,2,3,4+5");
}

// R5.
TEST(RaftMembership, Thesis41NewLeaderChangesNothingBeforeItHasCommittedAnEntry) {
  RaftCluster cluster(3, /*seed=*/1, Options(), /*spares=*/1);
  cluster.Tick(1, 30);
  for (int i = 0; i < 2; ++i) {  // pre-vote, vote
    cluster.TakeReadys(1);
    cluster.SyncOne(1);
    cluster.Deliver(1, 2);
    cluster.TakeReadys(2);
    cluster.SyncOne(2);
    cluster.Deliver(2, 1);
  }
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  EXPECT_TRUE(absl::IsUnavailable(cluster.ChangeMembers(1, Members({1, 2, 3}, {4}))));
  cluster.RunUntilQuiet();
  EXPECT_TRUE(cluster.ChangeMembers(1, Members({1, 2, 3}, {4})).ok());
}

// R6.
TEST_F(MembershipTest, Thesis41OneChangeAtATime) {
  cluster_.HoldDisk(2);
  cluster_.HoldDisk(3);
  ASSERT_TRUE(Change(1, {1, 2, 3}, {4}).ok());
  cluster_.RunUntilQuiet();
  const absl::Status second = Change(1, {1, 2, 3}, {5});
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr("under way"));
  cluster_.ReleaseDisk(2);
  cluster_.RunUntilQuiet();
  ASSERT_TRUE(Change(1, {1, 2}, {4}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Change(1, {1, 2, 3}, {4}))) << "joint";
}

// R19: the newest membership of the log holds, and goes with its entry.
TEST_F(MembershipTest, Thesis41MembershipGoesWithItsEntry) {
  cluster_.Partition({{1}, {2, 3}});
  ASSERT_TRUE(Change(1, {1, 2, 3}, {4}).ok());
  cluster_.RunUntilQuiet();
  cluster_.Elect(2);
  EXPECT_EQ(Said(1), "1,2,3+4");
  cluster_.Heal();
  cluster_.TickAll(10);
  EXPECT_EQ(Said(1), "1,2,3");
  EXPECT_EQ(cluster_.core(1).membership_index(), LogIndex(0));
}

TEST_F(MembershipTest, Thesis41MembershipIsFoundAgainAfterARestart) {
  AddLearners();
  cluster_.Crash(4);
  cluster_.Restart(4);
  EXPECT_EQ(Said(4), "1,2,3+4+5");
  cluster_.TakeSnapshot(1);
  cluster_.RunUntilQuiet();
  cluster_.Crash(1);
  cluster_.Restart(1);
  EXPECT_EQ(Said(1), "1,2,3+4+5") << "from the snapshot: its entry is compacted";
}

TEST_F(MembershipTest, Thesis422RemovedLeaderHandsOverAndStepsDown) {
  AddLearners();
  ASSERT_TRUE(Change(1, {2, 3}).ok());
  cluster_.RunUntilQuiet();
  ASSERT_TRUE(cluster_.Leader().has_value());
  EXPECT_NE(cluster_.Leader(), 1u) << "without waiting for a timeout";
  EXPECT_EQ(Said(1), "2,3");
  EXPECT_EQ(cluster_.Propose(1, {"x"}).status().code(), absl::StatusCode::kUnavailable);
  cluster_.Tick(1, 100);
  EXPECT_EQ(cluster_.core(1).role(), Role::kFollower);
  Propose(*cluster_.Leader(), "a");
  EXPECT_EQ(cluster_.AppliedCommands(2), cluster_.AppliedCommands(3));
}

TEST_F(MembershipTest, Thesis422RemovedLeaderWithoutSuccessorJustStepsDown) {
  ASSERT_TRUE(Change(1, {2, 3}).ok());
  cluster_.TakeReadys(1);
  for (uint32_t id : {2u, 3u}) {
    cluster_.Deliver(1, id);
    cluster_.TakeReadys(id);
    cluster_.SyncOne(id);
    cluster_.Deliver(id, 1);
  }
  // The joint membership is committed; 2 and 3 acknowledge the final one and are not heard again.
  cluster_.SyncOne(1);
  cluster_.TakeReadys(1);
  cluster_.SyncOne(1);
  for (uint32_t id : {2u, 3u}) {
    while (cluster_.Deliver(1, id)) {
    }
    cluster_.TakeReadys(id);
    while (cluster_.SyncOne(id)) {
    }
    while (cluster_.Deliver(id, 1)) {
    }
    cluster_.Cut(1, id);
  }
  cluster_.RunUntilQuiet();
  ASSERT_EQ(Said(1), "2,3");
  EXPECT_EQ(cluster_.Propose(1, {"a"}).status().code(), absl::StatusCode::kUnavailable);
  cluster_.Tick(1, 16);
  EXPECT_EQ(cluster_.core(1).role(), Role::kFollower);
}

// Only server 1 has the entry that takes its vote away, and only it can win.
TEST(RaftMembership, Thesis422RemovedServerIsElectedUntilItsRemovalIsCommitted) {
  RaftCluster cluster(1, /*seed=*/1, Options(), /*spares=*/1);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1}, {2})).ok());
  cluster.TickAll(12);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({2})).ok());
  cluster.TakeReadys(1);
  cluster.SyncOne(1);
  cluster.Deliver(1, 2);
  cluster.TakeReadys(2);
  cluster.SyncOne(2);
  cluster.Deliver(2, 1);
  cluster.Cut(1, 2);  // the joint membership is committed, the final one doesn't get through
  cluster.RunUntilQuiet();
  ASSERT_EQ(Describe(cluster.core(1).membership()), "2");
  cluster.Crash(1);
  cluster.Restart(1);
  cluster.Heal();
  cluster.TickAll(60);
  EXPECT_EQ(cluster.Leader(), 2u);
  EXPECT_EQ(Describe(cluster.core(2).membership()), "2");
  cluster.Tick(1, 100);
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
}

// The same for server 2, which after a restart knows nothing committed from the time when it had a
// vote: before, it was a learner, and in the entry that only it has it is one again.
TEST(RaftMembership, Thesis422RemovedServerIsElectedAlsoAfterARestart) {
  RaftCluster cluster(1, /*seed=*/1, Options(), /*spares=*/1);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1}, {2})).ok());
  cluster.TickAll(12);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1, 2})).ok());
  cluster.TickAll(6);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1}, {2})).ok());
  cluster.TakeReadys(1);
  cluster.SyncOne(1);
  cluster.Deliver(1, 2);
  cluster.TakeReadys(2);
  cluster.SyncOne(2);
  cluster.Deliver(2, 1);
  cluster.HoldDisk(1);  // the final membership becomes durable on 2 only
  cluster.RunUntilQuiet();
  ASSERT_EQ(Describe(cluster.core(2).membership()), "1+2");
  for (uint32_t id : {1u, 2u}) {
    cluster.Crash(id);
    cluster.Restart(id);
  }
  ASSERT_EQ(Describe(cluster.core(1).membership()), "1,2 to 1+2");
  cluster.TickAll(100);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(Describe(cluster.core(1).membership()), "1+2");
}

TEST_F(MembershipTest, Thesis422LeaderThatBecomesALearnerStepsDown) {
  ASSERT_TRUE(Change(1, {2, 3}, {1}).ok());
  cluster_.RunUntilQuiet();
  cluster_.TickAll(10);
  ASSERT_TRUE(cluster_.Leader().has_value());
  EXPECT_NE(cluster_.Leader(), 1u);
  Propose(*cluster_.Leader(), "a");
  EXPECT_EQ(cluster_.AppliedCommands(1).size(), 1u);
}

TEST_F(MembershipTest, Thesis423RemovedServerThatDoesNotKnowDoesNotDisturb) {
  cluster_.Partition({{1, 2}, {3}});
  ASSERT_TRUE(Change(1, {1, 2}).ok());
  cluster_.TickAll(40);
  ASSERT_EQ(Said(3), "1,2,3");
  cluster_.Heal();
  cluster_.TickAll(100);
  EXPECT_EQ(cluster_.Leader(), 1u);
  EXPECT_EQ(cluster_.core(1).term(), Term(1));
}

TEST_F(MembershipTest, RemovedServerIsToldAndStandsNoMore) {
  ASSERT_TRUE(Change(1, {1, 2}).ok());
  cluster_.RunUntilQuiet();
  EXPECT_EQ(Said(3), "1,2");
  EXPECT_EQ(cluster_.core(3).commit(), cluster_.core(1).commit());
  EXPECT_EQ(cluster_.core(1).Peers().size(), 1u);
  cluster_.TakeTrace();
  cluster_.Tick(3, 100);
  cluster_.Tick(1, 5);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(3).role(), Role::kFollower);
  EXPECT_THAT(cluster_.TakeTrace(), Not(HasSubstr("1>3")));
}

TEST_F(MembershipTest, RemovedServerThatIsAwayIsForgotten) {
  cluster_.Partition({{1, 2}, {3}});
  ASSERT_TRUE(Change(1, {1, 2}).ok());
  cluster_.TickAll(6);
  EXPECT_THAT(cluster_.TakeTrace(), HasSubstr("1>3"));
  cluster_.TickAll(15);
  cluster_.TakeTrace();
  cluster_.TickAll(15);
  EXPECT_THAT(cluster_.TakeTrace(), Not(HasSubstr("1>3")));
}

// Thesis section 4.1: requests are answered whoever sends them, since the log may be behind.
TEST_F(MembershipTest, Thesis41ServerVotesAndFollowsOutsideOfItsMembership) {
  ASSERT_TRUE(Change(1, {1, 2}).ok());
  cluster_.RunUntilQuiet();
  cluster_.Tick(3, 20);
  VoteRequest request;
  request.campaign_term = Term(7);
  request.last_index = LogIndex(99);
  request.last_term = Term(6);
  cluster_.core(3).Step(Message{ServerId(5), ServerId(3), Term(7), request});
  EXPECT_EQ(cluster_.core(3).term(), Term(7));
  AppendRequest append;
  append.prev_index = cluster_.core(3).last_index();
  append.prev_term = Term(1);
  cluster_.core(3).Step(Message{ServerId(5), ServerId(3), Term(7), append});
  EXPECT_EQ(cluster_.core(3).leader(), ServerId(5));
}

// The silence of a server counts from when it was added.
TEST(RaftMembership, SingleServerGrows) {
  RaftCluster cluster(1, /*seed=*/1, Options(), /*spares=*/2);
  cluster.Elect(1);
  cluster.TickAll(100);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1}, {2, 3})).ok());
  cluster.TickAll(12);
  ASSERT_TRUE(cluster.ChangeMembers(1, Members({1, 2, 3})).ok());
  cluster.TickAll(30);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
  EXPECT_EQ(Describe(cluster.core(3).membership()), "1,2,3");
  cluster.Elect(3);
}

// R24: a removal, a kill and a partition. The entry is on 1, 3 and the removed 2 when the removal
// begins; it is committed by the new majority too before that ends.
TEST_F(MembershipTest, AcknowledgedEntriesOutliveARemoval) {
  AddLearners();
  ASSERT_TRUE(Change(1, {1, 2, 3, 4, 5}).ok());
  cluster_.TickAll(6);
  cluster_.Partition({{1, 2, 3}, {4, 5}});
  Propose(1, "acknowledged");
  ASSERT_EQ(cluster_.AppliedCommands(2).size(), 1u);
  ASSERT_TRUE(Change(1, {1, 4, 5}).ok());
  cluster_.RunUntilQuiet();
  cluster_.Crash(1);
  cluster_.Crash(2);
  cluster_.Partition({{3}, {4, 5}});
  cluster_.TickAll(100);
  EXPECT_EQ(cluster_.Leader(), std::nullopt) << "4 and 5 don't know of the change";
  cluster_.Heal();
  cluster_.Restart(2);
  cluster_.TickAll(100);
  ASSERT_TRUE(cluster_.Leader().has_value());
  EXPECT_EQ(Said(*cluster_.Leader()), "1,4,5");
  EXPECT_EQ(cluster_.AppliedCommands(4), std::vector<std::string>{"acknowledged"});
}

TEST_F(MembershipTest, RefusalsSayWhy) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Change(2, {1, 2}))) << "not the leader";
  EXPECT_TRUE(absl::IsAlreadyExists(Change(1, {3, 2, 1})));
  EXPECT_TRUE(absl::IsInvalidArgument(Change(1, {}, {1, 2, 3})));
  EXPECT_TRUE(absl::IsInvalidArgument(Change(1, {1, 2, 2})));
  const absl::Status stranger = Change(1, {1, 2, 3, 4});
  EXPECT_TRUE(absl::IsFailedPrecondition(stranger));
  EXPECT_THAT(std::string(stranger.message()), HasSubstr("server 4 can't get a vote yet"));
  ASSERT_TRUE(cluster_.Transfer(1, 2).ok());
  EXPECT_TRUE(absl::IsUnavailable(Change(1, {1, 2})));
}

// A folder that awaits readmission would make the new majority unreachable.
TEST_F(MembershipTest, LearnerThatAwaitsReadmissionGetsNoVote) {
  AddLearners();
  cluster_.Wipe(4);
  cluster_.HoldDisk(2);
  cluster_.HoldDisk(3);
  cluster_.TickAll(6);
  ASSERT_TRUE(cluster_.core(1).Peers().at(2).awaiting_readmission);
  EXPECT_TRUE(absl::IsFailedPrecondition(Change(1, {1, 2, 3, 4}, {5})));
}

TEST_F(MembershipTest, JointMembershipTravelsInASnapshot) {
  AddLearners();
  cluster_.Crash(4);
  cluster_.Crash(3);
  ASSERT_TRUE(Change(1, {1, 2, 5}, {4}).ok());
  for (uint32_t id : {2u, 5u}) {
    cluster_.TakeReadys(1);
    while (cluster_.Deliver(1, id)) {
    }
    cluster_.TakeReadys(id);
    while (cluster_.SyncOne(id)) {
    }
    while (cluster_.Deliver(id, 1)) {
    }
  }
  for (uint32_t id : {2u, 5u}) cluster_.Cut(1, id);  // the final one reaches nobody
  cluster_.RunUntilQuiet();
  ASSERT_EQ(Said(1), "1,2,5+4");
  ASSERT_TRUE(cluster_.TakeSnapshot(1));
  EXPECT_TRUE(cluster_.core(1).snapshot().membership.IsJoint());
  cluster_.Restart(4);
  cluster_.RunUntilQuiet();
  cluster_.Tick(1, 5);
  cluster_.RunUntilQuiet();
  EXPECT_EQ(cluster_.core(4).snapshot(), cluster_.core(1).snapshot());
  EXPECT_EQ(Said(4), "1,2,5+4");
}

}  // namespace
}  // namespace bellwether::coord::raft

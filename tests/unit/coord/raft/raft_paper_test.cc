// One test per rule of "In Search of an Understandable Consensus Algorithm" (extended version); each
// names its section or figure. More are in core_snapshot_test.cc (section 7).

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"
#include "tests/unit/coord/raft/messages.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;

// Section 5.1: a server that sees a higher term adopts it and follows.
TEST(RaftPaper, Section51LeaderStepsDownOnHigherTerm) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.core(1).Step(
      Message{ServerId(2), ServerId(1), Term(9), VoteResponse{false, Term(9), false}});
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(1).term(), Term(9));
}

TEST(RaftPaper, Section51StaleRequestsAreRefusedWithTheCurrentTerm) {
  RaftCluster cluster(3);
  Ask(cluster, Append(2, 1, 5, 0, 0, {}));
  const Answers vote = Ask(cluster, Vote(3, 1, 4, 10, 4));
  EXPECT_TRUE(Refused(vote.at_once));
  EXPECT_EQ(vote.at_once.at(0).term, Term(5));
  const Answers append = Ask(cluster, Append(3, 1, 4, 0, 0, {4}));
  EXPECT_TRUE(Response(append.at_once).rejected);
  EXPECT_EQ(append.at_once.at(0).term, Term(5));
  EXPECT_EQ(cluster.core(1).last_index(), LogIndex(0));
}

// Section 5.2: the campaign raises the term, votes for itself and asks everyone.
TEST(RaftPaper, Section52CandidateVotesForItselfAndAsksAll) {
  RaftCluster cluster(3);
  cluster.Tick(1, 30);
  cluster.TakeReadys(1);
  cluster.Deliver(1, 2);
  cluster.TakeReadys(2);
  cluster.Deliver(2, 1);
  cluster.TakeReadys(1);
  EXPECT_EQ(cluster.core(1).role(), Role::kCandidate);
  EXPECT_FALSE(cluster.Deliver(1, 2)) << "asked before its own vote was durable";
  cluster.SyncOne(1);
  EXPECT_EQ(cluster.disk(1).hard_state, (HardState{Term(1), ServerId(1), Standing::kVoter}));
  EXPECT_TRUE(cluster.Deliver(1, 2));
  EXPECT_TRUE(cluster.Deliver(1, 3));
}

TEST(RaftPaper, Section52ElectionTimeoutsAreRandomInOneToTwoTimeouts) {
  std::set<uint32_t> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    RaftCluster cluster(3, seed);
    uint32_t ticks = 0;
    while (cluster.core(1).role() == Role::kFollower) {
      cluster.Tick(1);
      ++ticks;
    }
    EXPECT_GE(ticks, 15u);
    EXPECT_LT(ticks, 30u);
    seen.insert(ticks);
  }
  EXPECT_EQ(seen.size(), 15u);
}

TEST(RaftPaper, Section52OneVotePerTermFirstComeFirstServed) {
  RaftCluster cluster(3);
  EXPECT_TRUE(Granted(Ask(cluster, Vote(2, 1, 1, 0, 0)).after_sync));
  EXPECT_TRUE(Refused(Ask(cluster, Vote(3, 1, 1, 0, 0)).at_once));
  EXPECT_TRUE(Granted(Ask(cluster, Vote(2, 1, 1, 0, 0)).at_once));
}

// Also R13.
TEST(RaftPaper, Section52VoteIsDurableBeforeItIsAnsweredAndSurvivesRestart) {
  RaftCluster cluster(3);
  const Answers answers = Ask(cluster, Vote(2, 1, 1, 0, 0));
  EXPECT_TRUE(answers.at_once.empty());
  EXPECT_TRUE(Granted(answers.after_sync));
  cluster.Crash(1);
  cluster.Restart(1);
  EXPECT_TRUE(Refused(Ask(cluster, Vote(3, 1, 1, 0, 0)).at_once));
  EXPECT_TRUE(Granted(Ask(cluster, Vote(2, 1, 1, 0, 0)).at_once));
}

TEST(RaftPaper, Section52MajorityElects) {
  for (uint32_t servers : {1u, 2u, 3u, 4u, 5u}) {
    RaftCluster cluster(servers);
    std::set<uint32_t> majority;
    std::set<uint32_t> rest;
    for (uint32_t id = 1; id <= servers; ++id) {
      (id <= servers / 2 + 1 ? majority : rest).insert(id);
    }
    cluster.Partition({majority, rest});
    cluster.Elect(1);
    if (rest.empty()) continue;
    const uint32_t outsider = *rest.begin();
    cluster.Tick(outsider, 100);
    cluster.RunUntilQuiet();
    EXPECT_NE(cluster.core(outsider).role(), Role::kLeader) << servers;
  }
}

TEST(RaftPaper, Section52CandidateFollowsALeaderOfItsTerm) {
  RaftCluster cluster(3);
  cluster.Cut(1, 3);
  cluster.Tick(1, 30);
  cluster.TakeReadys(1);
  cluster.Deliver(1, 2);
  cluster.TakeReadys(2);
  cluster.Deliver(2, 1);
  ASSERT_EQ(cluster.core(1).role(), Role::kCandidate);
  Ask(cluster, Append(3, 1, 1, 0, 0, {1}));
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(1).leader(), ServerId(3));
}

TEST(RaftPaper, Section52SplitVoteEndsInAnElectionOfANewTerm) {
  RaftCluster cluster(4);
  cluster.Tick(1, 30);
  cluster.Tick(2, 30);
  for (uint32_t id : {1u, 2u}) {
    cluster.core(id).Step(Message{ServerId(3), ServerId(id), Term(0),
                                  VoteResponse{true, Term(1), true}});
    cluster.core(id).Step(Message{ServerId(4), ServerId(id), Term(0),
                                  VoteResponse{true, Term(1), true}});
  }
  cluster.Partition({{1, 3}, {2, 4}});
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.Leader(), std::nullopt);
  cluster.Heal();
  for (int i = 0; i < 200 && !cluster.Leader().has_value(); ++i) cluster.TickAll(1);
  ASSERT_TRUE(cluster.Leader().has_value());
  EXPECT_GE(cluster.core(*cluster.Leader()).term(), Term(2));
}

TEST(RaftPaper, Section52HeartbeatsKeepFollowersFromStanding) {
  RaftCluster cluster(3);
  cluster.Elect(2);
  cluster.TickAll(200);
  EXPECT_EQ(cluster.Leader(), 2u);
  EXPECT_EQ(cluster.core(2).term(), Term(1));
}

// Section 5.3: log replication.
TEST(RaftPaper, Section53EntryCommitsOnAMajorityAndAllApplyIt) {
  RaftCluster cluster(5);
  cluster.Elect(1);
  cluster.Partition({{1, 2, 3}, {4, 5}});
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  EXPECT_THAT(cluster.AppliedCommands(3), ElementsAre("a"));
  EXPECT_TRUE(cluster.AppliedCommands(4).empty());
  cluster.Heal();
  cluster.TickAll(10);
  EXPECT_THAT(cluster.AppliedCommands(4), ElementsAre("a"));
}

TEST(RaftPaper, Section53MinorityDoesNotCommit) {
  RaftCluster cluster(5);
  cluster.Elect(1);
  cluster.Partition({{1, 2}, {3, 4, 5}});
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  EXPECT_TRUE(cluster.AppliedCommands(1).empty());
}

// Also R26.
TEST(RaftPaper, Section53FollowerRefusesWithoutThePrecedingEntry) {
  RaftCluster cluster(3);
  EXPECT_TRUE(Response(Ask(cluster, Append(2, 1, 3, 2, 2, {3})).after_sync).rejected);
  Ask(cluster, Append(2, 1, 3, 0, 0, {1, 1}));
  EXPECT_TRUE(Response(Ask(cluster, Append(2, 1, 3, 2, 2, {3})).at_once).rejected);
  EXPECT_EQ(cluster.core(1).last_index(), LogIndex(2));
}

// Figure 7: whatever a follower's log, the leader's replaces it.
TEST(RaftPaper, Section53FollowersOfFigure7BecomeEqual) {
  const std::vector<uint64_t> leader = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<std::vector<uint64_t>> followers = {
      {1, 1, 1, 4, 4, 5, 5, 6, 6},          {1, 1, 1, 4},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},    {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
      {1, 1, 1, 4, 4, 4, 4},                {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}};
  for (const std::vector<uint64_t>& follower : followers) {
    RaftCluster cluster(3);
    // Server 2 gets the leader's log, server 1 the follower's, each from server 3.
    Ask(cluster, Append(3, 2, 7, 0, 0, leader));
    Ask(cluster, Append(3, 1, 7, 0, 0, follower));
    cluster.Crash(3);
    cluster.Restart(3);
    cluster.Partition({{1}, {2, 3}});
    cluster.Elect(2);
    cluster.Heal();
    cluster.TickAll(10);
    std::vector<uint64_t> expected = leader;
    expected.push_back(8);
    EXPECT_EQ(Terms(cluster, 1), expected);
    EXPECT_EQ(Terms(cluster, 3), expected);
  }
}

// Figure 3, leader append-only: whatever others have, or say that they had, a leader's log only grows.
TEST(RaftPaper, Figure3LeaderRemovesAndReplacesNothing) {
  RaftCluster cluster(3);
  Ask(cluster, Append(3, 2, 4, 0, 0, {1, 1, 4}));
  Ask(cluster, Append(3, 1, 4, 0, 0, {1, 1, 2, 2, 3, 3}));
  cluster.Crash(3);
  cluster.Restart(3);
  cluster.Partition({{1}, {2, 3}});
  cluster.Elect(2);
  ASSERT_THAT(Terms(cluster, 2), ElementsAre(1, 1, 4, 5));
  EXPECT_TRUE(Response(Ask(cluster, Append(3, 2, 4, 1, 1, {4, 4, 4})).at_once).rejected);
  cluster.Heal();
  ASSERT_TRUE(cluster.Propose(2, {"a"}).ok());
  cluster.TickAll(10);
  EXPECT_EQ(cluster.Leader(), 2u);
  EXPECT_THAT(Terms(cluster, 2), ElementsAre(1, 1, 4, 5, 5));
  EXPECT_EQ(Terms(cluster, 1), Terms(cluster, 2));
}

// Figure 3, log matching: who has a leader's entry has what that leader has before it.
TEST(RaftPaper, Figure3LogsThatAgreeOnAnEntryAgreeOnAllBeforeIt) {
  RaftCluster cluster(3);
  Ask(cluster, Append(3, 1, 4, 0, 0, {1, 2, 4}));
  Ask(cluster, Append(3, 2, 3, 0, 0, {1, 3, 3}));
  EXPECT_TRUE(Response(Ask(cluster, Append(3, 2, 4, 2, 2, {4})).after_sync).rejected);
  EXPECT_THAT(Terms(cluster, 2), ElementsAre(1, 3, 3));
  EXPECT_FALSE(Response(Ask(cluster, Append(3, 2, 4, 1, 1, {2})).after_sync).rejected);
  EXPECT_THAT(Terms(cluster, 2), ElementsAre(1, 2));
  EXPECT_FALSE(Response(Ask(cluster, Append(3, 2, 4, 2, 2, {4})).after_sync).rejected);
  EXPECT_EQ(Terms(cluster, 2), Terms(cluster, 1));
}

// Figure 3, state machine safety: what another server applied at an index is all that is ever applied
// there.
TEST(RaftPaper, Figure3NoServerAppliesAnotherEntryAtAnIndex) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  ASSERT_TRUE(cluster.Propose(1, {"lost", "too"}).ok());
  cluster.RunUntilQuiet();
  cluster.Elect(2);
  ASSERT_TRUE(cluster.Propose(2, {"kept"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.applied(2).back()->index, LogIndex(3));
  ASSERT_EQ(Terms(cluster, 1), (std::vector<uint64_t>{1, 1, 1})) << "another entry 3";
  cluster.Heal();
  cluster.TickAll(10);
  for (uint32_t id : {1u, 2u, 3u}) EXPECT_THAT(cluster.AppliedCommands(id), ElementsAre("kept"));
}

// End of section 5.3: a refusal skips all entries of a term, so that the round trips are counted in
// terms, not in entries.
TEST(RaftPaper, Section53BacktrackingSkipsWholeTerms) {
  RaftCluster cluster(3);
  Ask(cluster, Append(3, 2, 4, 0, 0, {1, 4, 4, 4, 4, 4, 4, 4}));
  Ask(cluster, Append(3, 1, 4, 0, 0, {1, 2, 2, 2, 2, 3, 3, 3}));
  cluster.Crash(3);
  cluster.Restart(3);
  cluster.Partition({{1}, {2, 3}});
  cluster.Elect(2);
  cluster.Heal();
  cluster.TakeTrace();
  cluster.Tick(2, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(Terms(cluster, 1), Terms(cluster, 2));
  const std::string trace = cluster.TakeTrace();
  size_t refusals = 0;
  for (size_t at = 0; (at = trace.find("1>2 t5 differs", at)) != std::string::npos; ++at) {
    ++refusals;
  }
  EXPECT_LE(refusals, 2u) << trace;
}

// A repeated or late append must not remove what came after it.
TEST(RaftPaper, Section53AppendsAreIdempotent) {
  RaftCluster cluster(3);
  Ask(cluster, Append(2, 1, 1, 0, 0, {1, 1, 1}));
  const Answers again = Ask(cluster, Append(2, 1, 1, 0, 0, {1}));
  EXPECT_EQ(Response(again.at_once).match, LogIndex(1));
  EXPECT_THAT(Terms(cluster, 1), ElementsAre(1, 1, 1));
}

TEST(RaftPaper, Section53FollowerCommitsOnlyWhatTheLeaderHasVerified) {
  RaftCluster cluster(3);
  Ask(cluster, Append(2, 1, 1, 0, 0, {1, 1, 1}));
  // A leader of a later term has said nothing yet about entries 2 and 3.
  Ask(cluster, Append(3, 1, 2, 1, 1, {}, 3));
  EXPECT_EQ(cluster.core(1).commit(), LogIndex(1));
}

// Section 5.4.1: the voter's log must not be more up-to-date than the candidate's.
TEST(RaftPaper, Section541VoterRefusesAnOlderLog) {
  auto vote = [](uint64_t last_index, uint64_t last_term) {
    RaftCluster cluster(3);
    Ask(cluster, Append(2, 1, 2, 0, 0, {1, 2}));
    cluster.Tick(1, 15);
    return Granted(Ask(cluster, Vote(3, 1, 9, last_index, last_term)).after_sync);
  };
  EXPECT_FALSE(vote(1, 2)) << "shorter";
  EXPECT_FALSE(vote(9, 1)) << "longer, but of an older term";
  EXPECT_TRUE(vote(2, 2));
  EXPECT_TRUE(vote(3, 2));
  EXPECT_TRUE(vote(1, 3)) << "shorter, but of a newer term";
}

// Section 5.4.2 and figure 8: an entry of an earlier term on a majority is not committed by that.
TEST(RaftPaper, Section542OldTermsAreCommittedOnlyThroughTheOwn) {
  RaftCluster cluster(3);
  Ask(cluster, Append(3, 1, 2, 0, 0, {1, 2}));
  Ask(cluster, Append(3, 2, 2, 0, 0, {1, 2}));
  cluster.Crash(3);
  cluster.HoldDisk(2);  // server 2 has the old entries durable and can't write the no-op
  for (uint32_t id : {1u, 2u}) cluster.Tick(id, 15);
  cluster.Tick(1, 15);
  cluster.TakeReadys(1);
  cluster.RunUntilQuiet();
  cluster.SyncOne(2);  // its vote
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.TakeReadys(2);
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).Peers().at(0).match, LogIndex(2));
  EXPECT_EQ(cluster.core(1).commit(), LogIndex(0));
  cluster.ReleaseDisk(2);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(1).commit(), LogIndex(3));
}

// Section 5.4.3: who is elected has all that is committed, as each majority has a server that has it
// and votes for nobody who lacks it.
TEST(RaftPaper, Section543NobodyWithoutACommittedEntryIsElected) {
  RaftCluster cluster(5);
  cluster.Elect(1);
  cluster.Partition({{1, 2, 3}, {4, 5}});
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).commit(), LogIndex(2));
  cluster.Crash(1);
  cluster.Heal();
  auto votes_for_4 = [&cluster](uint32_t voter) {
    cluster.Tick(voter, 15);
    const Answers answers = Ask(cluster, Vote(4, voter, 9, 1, 1));
    EXPECT_EQ(cluster.core(voter).term(), Term(9)) << "it did not consider it";
    return Granted(answers.after_sync);
  };
  EXPECT_FALSE(votes_for_4(2));
  EXPECT_FALSE(votes_for_4(3));
  EXPECT_TRUE(votes_for_4(5));
  cluster.Elect(2);
  cluster.TickAll(10);
  EXPECT_THAT(cluster.AppliedCommands(4), ElementsAre("a"));
}

// Section 5.5: a crashed follower is retried until it is back.
TEST(RaftPaper, Section55CrashedFollowerCatchesUp) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Crash(3);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(cluster.Propose(1, {std::to_string(i)}).ok());
    cluster.RunUntilQuiet();
  }
  cluster.Restart(3);
  cluster.TickAll(10);
  EXPECT_EQ(cluster.AppliedCommands(3), cluster.AppliedCommands(1));
  EXPECT_EQ(cluster.AppliedCommands(3).size(), 20u);
}

// Section 8: a leader begins with a no-op, which commits what earlier terms left (R3).
TEST(RaftPaper, Section8NoopCommitsWhatEarlierTermsLeft) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.Heal();
  cluster.Elect(1);
  EXPECT_THAT(cluster.AppliedCommands(2), ElementsAre("a"));
  EXPECT_EQ(cluster.disk(1).log().back()->type, EntryType::kNoop);
}

// Section 8, thesis section 6.4 and R4: a read needs a majority's word given after it was asked for.
// The followers hear the leader, whose read before they confirmed, and only their answers are lost.
TEST(RaftPaper, Section8LeaderWithoutMajorityConfirmsNoRead) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TickAll(5);
  ASSERT_TRUE(cluster.Read(1, 1).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.reads(1).size(), 1u);
  for (uint32_t follower : {2u, 3u}) cluster.Cut(follower, 1);
  ASSERT_TRUE(cluster.Read(1, 2).ok());
  cluster.RunUntilQuiet();
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  EXPECT_EQ(cluster.reads(1).size(), 1u);
  EXPECT_TRUE(cluster.lost_reads(1).empty());
  cluster.Tick(1, 12);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(1).role(), Role::kFollower);
  EXPECT_EQ(cluster.reads(1).size(), 1u);
  EXPECT_THAT(cluster.lost_reads(1), ElementsAre(ReadId(2)));
}

}  // namespace
}  // namespace bellwether::coord::raft

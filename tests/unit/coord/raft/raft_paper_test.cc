// One test per rule of "In Search of an Understandable Consensus Algorithm" (extended version) and
// of Ongaro's thesis; each names its section.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;

// What `message.to` answers `message.from` before and after its disk has written.
struct Answers {
  std::vector<Message> at_once;
  std::vector<Message> after_sync;
};

Answers Ask(RaftCluster& cluster, Message message) {
  const RaftCluster::Edge edge(message.to, message.from);
  const uint32_t server = message.to.value();
  while (cluster.Deliver(server, message.from.value())) {
  }
  cluster.core(server).Step(std::move(message));
  cluster.TakeReadys(server);
  auto sent = [&cluster, &edge] {
    auto found = cluster.in_flight().find(edge);
    if (found == cluster.in_flight().end()) return std::vector<Message>();
    return std::vector<Message>(found->second.begin(), found->second.end());
  };
  Answers answers;
  answers.at_once = sent();
  while (cluster.SyncOne(server)) {
  }
  answers.after_sync = sent();
  answers.after_sync.erase(answers.after_sync.begin(),
                           answers.after_sync.begin() +
                               static_cast<ptrdiff_t>(answers.at_once.size()));
  return answers;
}

Message Vote(uint32_t from, uint32_t to, uint64_t term, uint64_t last_index, uint64_t last_term) {
  return Message{ServerId(from), ServerId(to), Term(term),
                 VoteRequest{false, Term(term), LogIndex(last_index), Term(last_term)}};
}

Message PreVote(uint32_t from, uint32_t to, uint64_t term, uint64_t last_index,
                uint64_t last_term) {
  return Message{ServerId(from), ServerId(to), Term(term),
                 VoteRequest{true, Term(term + 1), LogIndex(last_index), Term(last_term)}};
}

// An append of one entry per term in `terms`.
Message Append(uint32_t from, uint32_t to, uint64_t term, uint64_t prev_index, uint64_t prev_term,
               const std::vector<uint64_t>& terms, uint64_t commit = 0) {
  AppendRequest request;
  request.prev_index = LogIndex(prev_index);
  request.prev_term = Term(prev_term);
  request.commit = LogIndex(commit);
  for (uint64_t entry_term : terms) {
    request.entries.push_back(std::make_shared<Entry>(
        Entry{Term(entry_term), LogIndex(++prev_index), EntryType::kCommands, "x"}));
  }
  return Message{ServerId(from), ServerId(to), Term(term), std::move(request)};
}

bool Granted(const std::vector<Message>& messages) {
  return messages.size() == 1 && std::get<VoteResponse>(messages[0].body).granted;
}

bool Refused(const std::vector<Message>& messages) {
  return messages.size() == 1 && !std::get<VoteResponse>(messages[0].body).granted;
}

const AppendResponse& Response(const std::vector<Message>& messages) {
  return std::get<AppendResponse>(messages.at(0).body);
}

std::vector<uint64_t> Terms(RaftCluster& cluster, uint32_t server) {
  std::vector<uint64_t> terms;
  for (const EntryPtr& entry : cluster.disk(server).log()) terms.push_back(entry->term.value());
  return terms;
}

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

// Section 8 and thesis section 6.4: a read needs a majority's word given after it was asked for.
TEST(RaftPaper, Section8LeaderWithoutMajorityConfirmsNoRead) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  cluster.Elect(2);
  ASSERT_EQ(cluster.core(2).role(), Role::kLeader);
  // Server 1 gave up while it was cut off, or else would have to refuse: it confirms nothing.
  (void)cluster.Read(1, 1);
  cluster.RunUntilQuiet();
  EXPECT_TRUE(cluster.reads(1).empty());
}

// Thesis section 4.2.3: servers that hear a leader don't vote, and don't even adopt the term.
TEST(RaftPaper, Thesis423VotesAreIgnoredInsideTheLease) {
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
TEST(RaftPaper, Thesis62LeaderWithoutMajorityStepsDown) {
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
TEST(RaftPaper, Thesis96PreVoteChangesNothing) {
  RaftCluster cluster(3);
  const Answers answers = Ask(cluster, PreVote(2, 1, 7, 0, 0));
  EXPECT_TRUE(Granted(answers.at_once));
  EXPECT_EQ(cluster.core(1).term(), Term(0));
  EXPECT_TRUE(Granted(Ask(cluster, PreVote(3, 1, 7, 0, 0)).at_once)) << "a pre-vote is no promise";
}

TEST(RaftPaper, Thesis96ReturningServerDoesNotDisturb) {
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
TEST(RaftPaper, Thesis96ServerThatWasCutOffBringsNoTermAlong) {
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
TEST(RaftPaper, Thesis96PartialPartitionChangesNoLeader) {
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
TEST(RaftPaper, Thesis96RefusalBringsAnOldTermUp) {
  RaftCluster cluster(3);
  Ask(cluster, Append(2, 1, 5, 0, 0, {}));
  cluster.Tick(3, 30);
  cluster.Cut(3, 2);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(3).term(), Term(5));
}

// R11: the server that was leader may ask, however recently it led.
TEST(RaftPaper, Thesis96FormerLeaderMayAskAtOnce) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  EXPECT_TRUE(Refused(Ask(cluster, PreVote(3, 2, 1, 1, 1)).at_once));
  EXPECT_TRUE(Granted(Ask(cluster, PreVote(1, 2, 1, 1, 1)).at_once));
}

// R12: granting a pre-vote doesn't postpone the granter's own election.
TEST(RaftPaper, Thesis96GrantingDoesNotRestartTheTimer) {
  RaftCluster cluster(3);
  for (int i = 0; i < 29; ++i) {
    cluster.Tick(1);
    Ask(cluster, PreVote(2, 1, 0, 0, 0));
  }
  EXPECT_NE(cluster.core(1).role(), Role::kFollower);
}

// Thesis section 10.2.1: the leader's write overlaps its sending, and counts when it is durable.
TEST(RaftPaper, Thesis1021LeaderCountsItselfOnlyWhenDurable) {
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

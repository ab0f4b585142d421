#include "coord/raft/raft_core.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Options ValidOptions() {
  Options options;
  options.self = ServerId(1);
  options.membership.members = {{ServerId(1), ""}, {ServerId(2), ""}, {ServerId(3), ""}};
  options.folder_id = base::Uuid(1, 1);
  return options;
}

TEST(RaftOptions, NameWhatIsWrong) {
  EXPECT_TRUE(Validate(ValidOptions()).ok());
  Options options = ValidOptions();
  options.membership.next = options.membership.members;
  EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("joint"));
  options = ValidOptions();
  options.membership.members.push_back({ServerId(2), ""});
  EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("order"));
  options = ValidOptions();
  options.heartbeat_ticks = 15;
  EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("heartbeat_ticks=15"));
  options = ValidOptions();
  options.folder_id = base::Uuid();
  EXPECT_FALSE(Validate(options).ok());
}

TEST(RaftCore, ALogAheadOfTheRecordedTermIsDamage) {
  FakeDisk disk;
  auto entry = std::make_shared<Entry>(Entry{Term(4), LogIndex(1), EntryType::kNoop, ""});
  disk.Add(FakeDisk::Write{ReadyId(0), LogIndex(0), {entry}, {}, {}, {}, {}});
  disk.Sync();
  base::Random random(1);
  const HardState behind{Term(3), ServerId(0), Standing::kVoter};
  EXPECT_EQ(RaftCore::Create(ValidOptions(), behind, disk, random).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(RaftCore, OnlyTheLeaderTakesProposalsAndReads) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  EXPECT_EQ(cluster.Propose(2, {"a"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(cluster.Read(2, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(cluster.Propose(1, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

// The others' votes may arrive before the owner has reported the write that let the requests out.
TEST(RaftCore, LeadsOnlyWhenItsOwnVoteIsReportedDurable) {
  RaftCluster cluster(3);
  cluster.HoldDisk(1);
  cluster.Tick(1, 30);
  for (uint32_t id : {2u, 3u}) {
    cluster.core(1).Step(
        Message{ServerId(id), ServerId(1), Term(0), VoteResponse{true, Term(1), true}});
  }
  ASSERT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.TakeReadys(1);
  for (uint32_t id : {2u, 3u}) {
    cluster.core(1).Step(
        Message{ServerId(id), ServerId(1), Term(1), VoteResponse{false, Term(1), true}});
  }
  EXPECT_EQ(cluster.core(1).role(), Role::kCandidate);
  cluster.SyncOne(1);
  EXPECT_EQ(cluster.core(1).role(), Role::kLeader);
}

TEST(RaftCore, ProposalsSayWhereTheyWent) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  const auto proposed = cluster.Propose(1, {"a", "b"});
  ASSERT_TRUE(proposed.ok());
  EXPECT_EQ(proposed->term, Term(1));
  EXPECT_EQ(proposed->first, LogIndex(2));
  EXPECT_EQ(proposed->last, LogIndex(3));
}

// R8: also what the leader can't apply yet, as it is not on its own disk.
TEST(RaftCore, AReadCoversAllThatIsCommitted) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.HoldDisk(1);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).commit(), LogIndex(2));
  ASSERT_EQ(cluster.applied(1).size(), 1u);
  ASSERT_TRUE(cluster.Read(1, 7).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.reads(1).size(), 1u);
  EXPECT_EQ(cluster.reads(1)[0].index, LogIndex(2));
}

// R8: after a restart nobody knows how far the log is committed, until an entry of a new term is.
TEST(RaftCore, AReadAfterARestartCoversAllThatWasCommittedBefore) {
  RaftCluster cluster(1);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.core(1).commit(), LogIndex(2));
  cluster.Crash(1);
  cluster.Restart(1);
  cluster.Tick(1, 30);
  cluster.TakeReadys(1);
  ASSERT_TRUE(cluster.SyncOne(1)) << "its vote";
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  ASSERT_LT(cluster.core(1).commit(), LogIndex(2));
  ASSERT_TRUE(cluster.Read(1, 7).ok());
  cluster.TakeReadys(1);
  EXPECT_TRUE(cluster.reads(1).empty());
  cluster.RunUntilQuiet();
  ASSERT_EQ(cluster.reads(1).size(), 1u);
  EXPECT_EQ(cluster.reads(1)[0].index, LogIndex(3));
}

// Thesis section 10.2.2: batching.
TEST(RaftCore, ProposalsOfABurstTravelTogether) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.TakeTrace();
  for (const char* payload : {"a", "b", "c"}) ASSERT_TRUE(cluster.Propose(1, {payload}).ok());
  cluster.RunUntilQuiet();
  EXPECT_THAT(cluster.TakeTrace(),
              HasSubstr("1>2 t1 append prev=1/1 [2/1 'a'] [3/1 'b'] [4/1 'c']"));
}

TEST(RaftCore, UncommittedBytesAreBounded) {
  Options options;
  options.uncommitted_bytes_max = 100;
  RaftCluster cluster(3, 1, options);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  EXPECT_TRUE(cluster.Propose(1, {std::string(500, 'x')}).ok()) << "nothing else is uncommitted";
  EXPECT_EQ(cluster.Propose(1, {"y"}).status().code(), absl::StatusCode::kResourceExhausted);
  cluster.RunUntilQuiet();
  cluster.Heal();
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_TRUE(cluster.Propose(1, {"y"}).ok());
}

TEST(RaftCore, PendingReadsAreBounded) {
  Options options;
  options.pending_reads_max = 1;
  RaftCluster cluster(3, 1, options);
  cluster.Elect(1);
  EXPECT_TRUE(cluster.Read(1, 1).ok());
  EXPECT_EQ(cluster.Read(1, 2).code(), absl::StatusCode::kResourceExhausted);
}

// Thesis section 10.2.2 (pipelining) and R23: appends don't wait for answers; a follower that answers
// nothing gets no more than the window, and what was lost is sent again when it is back.
TEST(RaftCore, AppendsToOneFollowerAreBoundedAndTheWindowIsNeverStuck) {
  Options options;
  options.inflight_appends_max = 3;
  RaftCluster cluster(3, 1, options);
  cluster.Elect(1);
  cluster.Cut(1, 3);
  cluster.TakeTrace();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(cluster.Propose(1, {"x"}).ok());
    cluster.RunUntilQuiet();
  }
  const std::string trace = cluster.TakeTrace();
  size_t sent = 0;
  for (size_t at = 0; (at = trace.find("\n1>3 t1 append prev=", at)) != std::string::npos; ++at) {
    if (trace.find('[', at) < trace.find('\n', at + 1)) ++sent;
  }
  EXPECT_EQ(sent, 3u) << trace;
  cluster.Heal();
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.applied(3).size(), 11u);
}

TEST(RaftCore, LostAndRepeatedAppendsAreMadeGood) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(cluster.Propose(1, {std::to_string(i)}).ok());
    cluster.TakeReadys(1);
  }
  cluster.Deliver(1, 2, 4);
  cluster.Deliver(1, 2, 1, /*keep=*/true);
  cluster.Deliver(1, 2, 0);
  cluster.Deliver(1, 2, 0);
  cluster.Deliver(1, 2, 0, /*keep=*/true);
  cluster.RunUntilQuiet();
  cluster.TickAll(6);
  EXPECT_THAT(cluster.AppliedCommands(2), ElementsAre("0", "1", "2", "3", "4"));
}

TEST(RaftCore, ReadsAreLostWithLeadership) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Read(1, 7).ok());
  cluster.Partition({{1}, {2, 3}});
  cluster.Tick(1, 20);
  cluster.RunUntilQuiet();
  EXPECT_THAT(cluster.lost_reads(1), ElementsAre(ReadId(7)));
}

// A round asked before a read was added says nothing about it, however late its answer comes.
TEST(RaftCore, AnswersToAnEarlierRoundConfirmNoLaterRead) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Read(1, 1).ok());
  cluster.TakeReadys(1);
  cluster.Deliver(1, 2);
  cluster.TakeReadys(2);
  ASSERT_TRUE(cluster.Read(1, 2).ok());
  cluster.TakeReadys(1);
  cluster.Deliver(2, 1);
  cluster.TakeReadys(1);
  ASSERT_EQ(cluster.reads(1).size(), 1u);
  EXPECT_EQ(cluster.reads(1)[0].id, ReadId(1));
}

// Paper figure 2, thesis section 3.8, R25: an entry counts for a follower once it is durable there.
TEST(RaftCore, FollowersAnswerHeartbeatsWhileTheirDiskIsBusy) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  cluster.HoldDisk(2);
  cluster.HoldDisk(3);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.TickAll(60);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(1).term(), Term(1));
  EXPECT_TRUE(cluster.AppliedCommands(1).empty());
}

TEST(RaftCore, ContactIsKnownToFollowersAndLeader) {
  RaftCluster cluster(3);
  EXPECT_EQ(cluster.core(2).ticks_since_leader_contact(), ElectionTimer::kNever);
  cluster.Elect(1);
  cluster.Partition({{1}, {2, 3}});
  cluster.Tick(1, 7);
  cluster.Tick(2, 9);
  EXPECT_EQ(cluster.core(1).ticks_since_leader_contact(), 7u);
  EXPECT_EQ(cluster.core(2).ticks_since_leader_contact(), 9u);
}

TEST(RaftCore, FollowersWhoseConnectionToTheLeaderBrokeStandOneAfterTheOther) {
  for (const bool first_is_cut_off : {false, true}) {
    RaftCluster cluster(5);
    cluster.Elect(2);
    const Term term = cluster.core(2).term();
    cluster.Crash(2);
    if (first_is_cut_off) cluster.Partition({{1}, {3, 4, 5}});
    for (uint32_t id : {1u, 3u, 4u, 5u}) cluster.core(id).OnDisconnected(ServerId(2));
    cluster.TickAll(first_is_cut_off ? 5 : 2);
    EXPECT_EQ(cluster.Leader(), first_is_cut_off ? 3u : 1u);
    EXPECT_EQ(cluster.core(4).term(), term + 1) << "votes were split";
  }
}

TEST(RaftCore, ABrokenConnectionToALeaderThatOthersHearDisturbsNobody) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  const Term term = cluster.core(1).term();
  cluster.core(2).OnDisconnected(ServerId(1));
  cluster.core(1).OnDisconnected(ServerId(2));
  cluster.core(3).OnDisconnected(ServerId(2));
  cluster.TickAll(60);
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_EQ(cluster.core(2).leader(), ServerId(1));
  EXPECT_EQ(cluster.core(1).term(), term);
}

TEST(RaftCore, AnUnreadableLogStopsTheCore) {
  Options options;
  options.tail_bytes_max = 0;
  RaftCluster cluster(3, 1, options);
  cluster.Elect(1);
  cluster.Cut(1, 3);
  ASSERT_TRUE(cluster.Propose(1, {"a"}).ok());
  cluster.RunUntilQuiet();
  cluster.Crash(3);
  cluster.Restart(3);
  cluster.Heal();
  cluster.disk(1).fails = true;
  cluster.Tick(1, 5);
  cluster.RunUntilQuiet();
  EXPECT_EQ(cluster.core(1).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cluster.core(1).TakeReady(), std::nullopt);
  EXPECT_FALSE(cluster.Propose(1, {"b"}).ok());
}

TEST(RaftCore, TwoLeadersOfATermStopTheCore) {
  RaftCluster cluster(3);
  cluster.core(1).Step(Message{ServerId(2), ServerId(1), Term(1), AppendRequest{}});
  cluster.core(1).Step(Message{ServerId(3), ServerId(1), Term(1), AppendRequest{}});
  EXPECT_EQ(cluster.core(1).status().code(), absl::StatusCode::kInternal);
}

TEST(RaftCore, MalformedMessagesAreDropped) {
  RaftCluster cluster(3);
  cluster.Elect(1);
  RaftCore& core = cluster.core(1);
  auto entry = [](uint64_t index, uint64_t term) {
    return std::make_shared<Entry>(Entry{Term(term), LogIndex(index), EntryType::kNoop, ""});
  };
  const ServerId from(2);
  const ServerId to(1);
  std::vector<Message> messages = {
      {from, ServerId(3), Term(5), AppendRequest{}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(0), {nullptr}, {}, {}}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(0), {entry(2, 1)}, {}, {}}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(0), {entry(1, 6)}, {}, {}}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(0), {entry(1, 0)}, {}, {}}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(0), {entry(1, 3), entry(2, 2)}, {}, {}}},
      {from, to, Term(5), AppendRequest{LogIndex(0), Term(2), {}, {}, {}}},
      {from, to, Term(5), VoteRequest{false, Term(6), LogIndex(9), Term(1)}},
  };
  AppendResponse beyond;
  beyond.folder_id = base::Uuid(2, 1);
  beyond.match = LogIndex(99);
  messages.push_back({from, to, Term(1), beyond});
  for (Message& message : messages) {
    core.Step(std::move(message));
    core.CheckInvariants();
    EXPECT_EQ(core.term(), Term(1));
    EXPECT_EQ(core.role(), Role::kLeader);
  }
  EXPECT_TRUE(core.status().ok());
}

}  // namespace
}  // namespace bellwether::coord::raft

#include "coord/replica/formation.h"

#include <string>
#include <vector>

#include "coord/replica/hello_check.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;
using Verdict = Formation::Verdict;

Hello HelloOf(uint32_t server, FolderState folder, std::vector<uint32_t> heard_empty = {}) {
  Hello hello;
  hello.server_id = ServerId(server);
  hello.folder = folder;
  for (uint32_t id : heard_empty) hello.heard_empty.push_back(ServerId(id));
  return hello;
}

Formation OfThree(uint32_t self) {
  return Formation(ServerId(self), {ServerId(1), ServerId(2), ServerId(3)});
}

// --- The rule

TEST(Formation, VotesOnceAllWereHeardEmptyAndHaveHeardIt) {
  Formation formation = OfThree(1);
  EXPECT_EQ(formation.verdict(), Verdict::kWait);
  EXPECT_TRUE(formation.OnHello(HelloOf(2, FolderState::kEmpty, {1})));
  EXPECT_TRUE(formation.OnHello(HelloOf(3, FolderState::kEmpty)));
  EXPECT_EQ(formation.verdict(), Verdict::kWait);
  EXPECT_THAT(formation.WaitingFor(), HasSubstr("waiting for 3"));
  EXPECT_FALSE(formation.OnHello(HelloOf(3, FolderState::kEmpty, {2})));
  EXPECT_EQ(formation.verdict(), Verdict::kWait);
  EXPECT_TRUE(formation.OnHello(HelloOf(3, FolderState::kEmpty, {1, 2})));
  EXPECT_EQ(formation.verdict(), Verdict::kVoter);
}

TEST(Formation, AwaitsReadmissionWhenItMeetsAMemberItNeverHeardEmpty) {
  Formation formation = OfThree(1);
  formation.OnHello(HelloOf(2, FolderState::kEmpty, {1}));
  formation.OnHello(HelloOf(3, FolderState::kMember, {1, 2}));
  EXPECT_EQ(formation.verdict(), Verdict::kAwaitReadmission);
}

TEST(Formation, MemberThatWasHeardEmptyHasOnlyFormedFirst) {
  Formation formation = OfThree(1);
  formation.OnHello(HelloOf(2, FolderState::kEmpty, {1}));
  formation.OnHello(HelloOf(3, FolderState::kEmpty));
  formation.OnHello(HelloOf(3, FolderState::kMember));
  EXPECT_EQ(formation.verdict(), Verdict::kVoter);
}

TEST(Formation, RemembersAcrossARestart) {
  Formation before = OfThree(1);
  before.OnHello(HelloOf(2, FolderState::kEmpty, {1}));
  Formation after = OfThree(1);
  ASSERT_TRUE(after.Restore(before.Encode()).ok());
  EXPECT_EQ(after.heard_empty(), std::vector<ServerId>{ServerId(2)});
  after.OnHello(HelloOf(2, FolderState::kMember));
  EXPECT_EQ(after.verdict(), Verdict::kWait);
  after.OnHello(HelloOf(3, FolderState::kEmpty, {1}));
  EXPECT_EQ(after.verdict(), Verdict::kVoter);
}

TEST(Formation, RemembersThatItsStateWasRestored) {
  Formation formation = OfThree(1);
  EXPECT_TRUE(formation.restore_id().IsNil());
  ASSERT_TRUE(formation.Restore(Formation::EncodeRestored(base::Uuid(5, 6))).ok());
  EXPECT_EQ(formation.restore_id(), base::Uuid(5, 6));
  EXPECT_EQ(formation.verdict(), Verdict::kWait);
  formation.OnHello(HelloOf(2, FolderState::kRestored, {1}));
  formation.OnHello(HelloOf(3, FolderState::kRestored));
  EXPECT_EQ(formation.verdict(), Verdict::kWait);
  Formation after = OfThree(1);
  ASSERT_TRUE(after.Restore(formation.Encode()).ok());
  EXPECT_EQ(after.restore_id(), base::Uuid(5, 6));
  after.OnHello(HelloOf(3, FolderState::kMember));
  EXPECT_EQ(after.verdict(), Verdict::kVoter);
}

TEST(Formation, RemembersWithWhomItFormed) {
  const Formation formation = OfThree(1);
  EXPECT_EQ(Formation::FormedWith(formation.EncodeFormed()),
            (std::vector<ServerId>{ServerId(2), ServerId(3)}));
  EXPECT_EQ(Formation::FormedWith(formation.Encode()), std::nullopt) << "not formed yet";
  EXPECT_EQ(Formation::FormedWith(""), std::nullopt);
  EXPECT_EQ(Formation::FormedWith(formation.EncodeFormed() + "x"), std::nullopt);
}

TEST(Formation, BadMemoryIsAnError) {
  Formation formation = OfThree(1);
  for (std::string bytes : {"x", "\x01\xff\xff\xff", "\x02\x01\x01"}) {
    EXPECT_TRUE(absl::IsDataLoss(formation.Restore(bytes)));
  }
}

TEST(Formation, OfOneNeedsNobody) {
  EXPECT_EQ(Formation(ServerId(1), {ServerId(1)}).verdict(), Verdict::kVoter);
}

// --- The driver

TEST(FormationOfEnsemble, WaitsForTheLastServer) {
  Ensemble ensemble(3, 1);
  ensemble.Start(1);
  ensemble.Start(2);
  ensemble.scheduler.RunFor(absl::Seconds(30));
  EXPECT_EQ(ensemble.Leader(), 0u);
  EXPECT_FALSE(ensemble.disk(1).durable_hard_state().has_value());
  EXPECT_THAT(ensemble.at(1).replica.status().not_in_contact_reason, HasSubstr("waiting for 3"));
  ensemble.Start(3);
  EXPECT_NE(ensemble.WaitForLeader(), 0u);
}

TEST(FormationOfEnsemble, SurvivesARestartInItsMiddle) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Ensemble ensemble(3, seed);
    ensemble.Start(1);
    ensemble.Start(2);
    ensemble.scheduler.RunFor(absl::Seconds(1));
    ensemble.Crash(1);
    ensemble.Start(3);
    ensemble.scheduler.RunFor(ensemble.scheduler.RandomDuration(absl::ZeroDuration(),
                                                                absl::Milliseconds(300)));
    ensemble.Crash(2);
    ensemble.scheduler.RunFor(absl::Seconds(1));
    ensemble.Start(1);
    ensemble.Start(2);
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u) << "seed " << seed;
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
    ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_EQ(ensemble.disk(id).durable_hard_state()->standing, raft::Standing::kVoter);
    }
  }
}

// No server is ever up together with all the others, yet what was heard adds up.
TEST(FormationOfEnsemble, RestartedServersFormFromWhatTheyRemember) {
  Ensemble ensemble(3, 2);
  for (const auto& [a, b] : {std::pair(1, 2), std::pair(2, 3), std::pair(1, 3)}) {
    ensemble.Start(a);
    ensemble.Start(b);
    ensemble.scheduler.RunFor(absl::Seconds(1));
    ensemble.Crash(a);
    ensemble.Crash(b);
  }
  ensemble.Start(1);
  ensemble.Start(3);
  EXPECT_NE(ensemble.WaitForLeader(), 0u);
}

TEST(FormationOfEnsemble, WipedServerIsReadmittedThroughTheLog) {
  Ensemble ensemble(3, 3);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  const uint32_t wiped = ensemble.WaitForFollower(leader);
  ensemble.CrashAndWipe(wiped);
  ensemble.Start(wiped);
  ASSERT_TRUE(ensemble.Until([&] {
    return ensemble.disk(wiped).durable_hard_state().has_value() &&
           ensemble.disk(wiped).durable_hard_state()->standing == raft::Standing::kVoter;
  }));
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  bool readmitted = false;
  for (const raft::EntryPtr& entry : ensemble.disk(wiped).durable_entries()) {
    readmitted |= entry->type == raft::EntryType::kReadmit;
  }
  EXPECT_TRUE(readmitted);
}

// Flags need not spell the others' addresses as the others do.
TEST(FormationOfEnsemble, WipedServerIsReadmittedThoughItsFlagsSpellAddressesOtherwise) {
  Ensemble ensemble(3, 4);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  const uint32_t wiped = ensemble.WaitForFollower(leader);
  ensemble.CrashAndWipe(wiped);
  for (PeerAddress& server : ensemble.options(wiped).servers) {
    if (server.id != ServerId(wiped)) server.address = "elsewhere-" + server.address;
  }
  ensemble.Start(wiped);
  ASSERT_TRUE(ensemble.Until([&] {
    return ensemble.disk(wiped).durable_hard_state().has_value() &&
           ensemble.disk(wiped).durable_hard_state()->standing == raft::Standing::kVoter;
  }));
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
}

// Acknowledged by 1 and 2 while 3 was away; then 2 is wiped and 1 is away. 2 and 3 together must
// not elect a leader that has never heard of it.
TEST(FormationOfEnsemble, WipedServerDoesNotVoteAcknowledgedEntriesAway) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Ensemble ensemble(3, seed);
    ensemble.StartAll();
    ASSERT_NE(ensemble.WaitForLeader(), 0u);
    ensemble.Crash(3);
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u);
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "precious").ok());
    ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"precious"}); }));
    ensemble.Crash(1);
    ensemble.CrashAndWipe(2);
    ensemble.Start(2);
    ensemble.Start(3);
    ensemble.scheduler.RunFor(absl::Seconds(5));
    EXPECT_EQ(ensemble.Leader(), 0u) << "seed " << seed;
    ensemble.Start(1);
    ASSERT_NE(ensemble.WaitForLeader(), 0u) << "seed " << seed;
    EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"precious"}); }))
        << "seed " << seed;
  }
}

TEST(FormationOfEnsemble, FolderOfAnEnsembleWithoutItsLogAwaitsReadmission) {
  Ensemble ensemble(3, 4);
  ensemble.SetEnsembleId(3, base::Uuid(1, 2));
  ensemble.Start(3);
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(ensemble.disk(3).durable_hard_state()->standing,
            raft::Standing::kAwaitingReadmission);
}

TEST(FormationOfEnsemble, OfOneRefusesAFolderThatLostItsLog) {
  Ensemble ensemble(1, 5);
  ensemble.SetEnsembleId(1, base::Uuid(1, 2));
  ensemble.Start(1);
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  ASSERT_TRUE(ensemble.at(1).fatal.has_value());
  EXPECT_TRUE(absl::IsDataLoss(*ensemble.at(1).fatal));
}

// With what it believes, itself and one other server would be a quorum.
TEST(FormationOfEnsemble, AnEmptiedServerWhoseFlagsNameFewerLearnsOfTheOthers) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Ensemble ensemble(5, seed);
    ensemble.StartAll();
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
    ensemble.CrashAndWipe(5);
    ensemble.options(5).servers = {Ensemble::PeerOf(leader == 1 ? 2 : 1), Ensemble::PeerOf(5)};
    ensemble.Start(5);
    ASSERT_TRUE(ensemble.Until([&] {
      return ensemble.disk(5).durable_hard_state().has_value() &&
             ensemble.disk(5).durable_hard_state()->standing == raft::Standing::kVoter;
    })) << "seed " << seed;
    for (uint32_t id : {2u, 3u, 4u}) ensemble.Crash(id);
    ensemble.scheduler.RunFor(absl::Seconds(3));
    EXPECT_EQ(ensemble.Leader(), 0u) << "two of five lead, seed " << seed;
    EXPECT_EQ(ensemble.at(5).replica.status().servers.size(), 5u) << "seed " << seed;
  }
}

TEST(FormationOfEnsemble, FlagsThatNameFewerMakeNoSmallerQuorum) {
  Ensemble ensemble(5, 9);
  ensemble.StartAll();
  ASSERT_TRUE(ensemble.ProposeAndWait(ensemble.WaitForLeader(), "a").ok());
  for (uint32_t id = 1; id <= 5; ++id) ensemble.Crash(id);
  for (uint32_t id : {1u, 2u}) {
    ensemble.options(id).servers.resize(2);
    ensemble.Start(id);
  }
  ensemble.scheduler.RunFor(absl::Seconds(5));
  EXPECT_EQ(ensemble.Leader(), 0u);
  ensemble.Start(3);  // it knows where the two are
  EXPECT_NE(ensemble.WaitForLeader(), 0u);
}

// --- Disagreement

TEST(FormationOfEnsemble, OnlyTheServerWithTheWrongListStops) {
  Ensemble ensemble(3, 6);
  ensemble.options(3).servers[0].address = "elsewhere:2192";
  ensemble.StartAll();
  ensemble.scheduler.RunFor(absl::Seconds(5));
  EXPECT_FALSE(ensemble.at(1).fatal.has_value());
  EXPECT_FALSE(ensemble.at(2).fatal.has_value());
  ASSERT_TRUE(ensemble.at(3).fatal.has_value());
  const std::string message(ensemble.at(3).fatal->message());
  EXPECT_THAT(message, HasSubstr("1=host1:2192,2=host2:2192,3=host3:2192"));
  EXPECT_THAT(message, HasSubstr("1=elsewhere:2192"));
  EXPECT_THAT(message, HasSubstr("--peer"));
}

TEST(FormationOfEnsemble, MembersThatFormedWithOthersRefuseEachOther) {
  Hello own = HelloOf(1, FolderState::kMember);
  own.members = {Ensemble::PeerOf(1), Ensemble::PeerOf(2), Ensemble::PeerOf(3)};
  Hello peer = HelloOf(2, FolderState::kMember);
  peer.members = {Ensemble::PeerOf(1), Ensemble::PeerOf(2)};
  const absl::Status refused = CheckSameEnsemble(own, peer);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("formed by servers 1=host1:2192,2=host2:2192, by this server's by"));
  peer.members_index = LogIndex(9);
  EXPECT_TRUE(CheckSameEnsemble(own, peer).ok()) << "its log says who is in";
  peer.members_index = LogIndex();
  peer.folder = FolderState::kAwaiting;
  EXPECT_TRUE(CheckSameEnsemble(own, peer).ok()) << "it does not count";
}

TEST(FormationOfEnsemble, MemberWhoseFlagsPutItElsewhereStopsAndTheOthersGoOn) {
  Ensemble ensemble(3, 10);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  const uint32_t moved = ensemble.WaitForFollower(leader);
  ensemble.Crash(moved);
  for (PeerAddress& server : ensemble.options(moved).servers) {
    if (server.id == ServerId(moved)) server.address = "elsewhere:1";
  }
  ensemble.Start(moved);
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.at(moved).fatal.has_value(); }));
  const std::string message(ensemble.at(moved).fatal->message());
  EXPECT_THAT(message, HasSubstr(fmt::format("this server is {0}=host{0}:2192", moved)));
  EXPECT_THAT(message, HasSubstr(fmt::format("--peer flag {}=elsewhere:1", moved)));
  EXPECT_TRUE(ensemble.ProposeAndWait(ensemble.WaitForLeader(), "b").ok());
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != moved) {
      EXPECT_FALSE(ensemble.at(id).fatal.has_value()) << id;
    }
  }
}

TEST(FormationOfEnsemble, NamesMayBeSpellingsOfOnePlace) {
  EXPECT_FALSE(AreApart("host1:2192", "host1:2192"));
  EXPECT_FALSE(AreApart("host1:2192", "10.0.0.1:2192"));
  EXPECT_FALSE(AreApart("host1:2192", "host1.example:2192"));
  EXPECT_TRUE(AreApart("host1:2192", "host1:2193"));
  EXPECT_TRUE(AreApart("10.0.0.1:2192", "10.0.0.2:2192"));
  EXPECT_TRUE(AreApart("[::1]:2192", "127.0.0.1:2192"));
}

TEST(FormationOfEnsemble, RunningEnsembleIgnoresAFolderOfAnother) {
  Ensemble ensemble(3, 7);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  for (uint32_t id = 1; id <= 3; ++id) ensemble.at(id).replica.SetEnsembleId(base::Uuid(1, 1));
  ensemble.scheduler.RunFor(absl::Seconds(1));
  const uint32_t stranger = ensemble.WaitForFollower(leader);
  ensemble.Crash(stranger);
  ensemble.SetEnsembleId(stranger, base::Uuid(2, 2));
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != stranger) ensemble.SetEnsembleId(id, base::Uuid(1, 1));
  }
  ensemble.Start(stranger);
  ensemble.scheduler.RunFor(absl::Seconds(5));
  ASSERT_TRUE(ensemble.at(stranger).fatal.has_value());
  EXPECT_TRUE(absl::IsFailedPrecondition(*ensemble.at(stranger).fatal));
  EXPECT_THAT(std::string(ensemble.at(stranger).fatal->message()),
              HasSubstr("data folder of another ensemble"));
  const uint32_t still = ensemble.WaitForLeader();
  ASSERT_NE(still, 0u);
  EXPECT_TRUE(ensemble.ProposeAndWait(still, "a").ok());
}

}  // namespace
}  // namespace bellwether::coord

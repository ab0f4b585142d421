#include "coord/replica/replica.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Numbered(int count) {
  std::vector<std::string> commands;
  for (int i = 0; i < count; ++i) commands.push_back("c" + std::to_string(i));
  return commands;
}

TEST(Replica, OfOneFormsLeadsAndApplies) {
  Ensemble ensemble(1, 1);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  EXPECT_TRUE(ensemble.ProposeAndWait(1, "a").ok());
  EXPECT_TRUE(ensemble.ProposeAndWait(1, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a", "b"}); }));
}

TEST(Replica, OfOneAppliesItsLogAgainAfterACrash) {
  Ensemble ensemble(1, 2);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ASSERT_TRUE(ensemble.ProposeAndWait(1, "a").ok());
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  ensemble.Crash(1);
  ensemble.Start(1);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
}

TEST(Replica, NothingIsAppliedBeforeItIsDurable) {
  Ensemble ensemble(1, 3);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ensemble.disk(1).sync_first = ensemble.disk(1).sync_last = absl::Seconds(1);
  ASSERT_TRUE(ensemble.ProposeAndWait(1, "a").ok());
  ensemble.scheduler.RunFor(absl::Milliseconds(500));
  EXPECT_TRUE(ensemble.AllApplied({}));
  ensemble.scheduler.RunFor(absl::Seconds(2));
  EXPECT_TRUE(ensemble.AllApplied({"a"}));
}

TEST(Replica, ProposalsOfOneMomentShareAnEntry) {
  Ensemble ensemble(1, 4);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  const LogIndex before = ensemble.at(1).replica.status().last_index;
  const std::vector<std::string> commands = Numbered(100);
  for (const std::string& command : commands) ensemble.Propose(1, command);
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(commands); }));
  ensemble.scheduler.RunFor(absl::Milliseconds(20));
  EXPECT_EQ(ensemble.at(1).replica.status().last_index - before, 1u);
}

TEST(Replica, FormsAlthoughWhatServersSayIsLostForAWhile) {
  Ensemble ensemble(3, 4);
  ensemble.network.CutOneWay(ServerId(1), ServerId(3));
  ensemble.StartAll();
  ASSERT_NE(ensemble.WaitForLeader(), 0u);
  ensemble.scheduler.RunFor(absl::Seconds(1));
  EXPECT_EQ(ensemble.at(3).replica.status().last_index, LogIndex(0));
  ensemble.network.HealAll();
  EXPECT_TRUE(ensemble.Until([&] {
    return ensemble.at(3).replica.status().in_contact;
  }));
}

TEST(Replica, WipedServerIsALearnerUntilItIsReadmitted) {
  Ensemble ensemble(3, 4);
  ensemble.StartAll();
  const uint32_t wiped = ensemble.WaitForFollower(ensemble.WaitForLeader());
  ensemble.CrashAndWipe(wiped);
  ensemble.Start(wiped);
  const auto role = [&] { return ensemble.at(wiped).replica.status().leadership.role; };
  EXPECT_TRUE(ensemble.Until([&] { return role() == Role::kLearner; }));
  EXPECT_TRUE(ensemble.Until([&] { return role() == Role::kFollower; }));
}

TEST(Replica, FollowerForwardsInOrder) {
  Ensemble ensemble(3, 5);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ASSERT_NE(follower, 0u);
  const std::vector<std::string> commands = Numbered(200);
  std::vector<Ensemble::ProposeResult> results;
  for (const std::string& command : commands) {
    results.push_back(ensemble.Propose(follower, command));
    ensemble.scheduler.RunFor(absl::Microseconds(30));
  }
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(commands); }));
  for (const auto& result : results) EXPECT_TRUE(result->has_value() && (*result)->ok());
}

TEST(Replica, WithoutALeaderProposalsAndReadsAreRejectedAtOnce) {
  Ensemble ensemble(3, 6);
  ensemble.Start(1);
  const auto proposed = ensemble.Propose(1, "a");
  const auto read = ensemble.Read(1);
  ensemble.scheduler.RunFor(absl::Milliseconds(1));
  ASSERT_TRUE(proposed->has_value());
  EXPECT_TRUE(absl::IsUnavailable(**proposed));
  EXPECT_EQ(base::OutcomeOf(**proposed), base::Outcome::kRejected);
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE(absl::IsUnavailable((*read)->status()));
}

TEST(Replica, ForwardsInFlightAreUnknownWhenTheLeaderDies) {
  Ensemble ensemble(3, 7);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.at(leader).executor.Pause();
  const auto result = ensemble.Propose(follower, "a");
  ensemble.scheduler.RunFor(absl::Milliseconds(20));
  EXPECT_FALSE(result->has_value());
  ensemble.Crash(leader);
  ASSERT_TRUE(ensemble.Until([&] { return result->has_value(); }));
  EXPECT_EQ(base::OutcomeOf(**result), base::Outcome::kUnknown);
  const uint32_t next = ensemble.WaitForLeader();
  ASSERT_NE(next, 0u);
  EXPECT_TRUE(ensemble.ProposeAndWait(next, "b").ok());
}

// Thesis section 6.4.
TEST(Replica, LinearizableReadSeesEveryAnsweredWrite) {
  Ensemble ensemble(3, 8);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  ASSERT_TRUE(ensemble.Until(
      [&] { return ensemble.at(leader).state_machine.commands.size() == 1; }));
  const LogIndex written = ensemble.at(leader).state_machine.applied;
  for (uint32_t server : {leader, follower}) {
    const absl::StatusOr<LogIndex> index = ensemble.ReadAndWait(server);
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_GE(*index, written);
  }
}

TEST(Replica, NoteReachesTheLeaderBeforeItsReadIsConfirmed) {
  Ensemble ensemble(3, 9);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ASSERT_TRUE(ensemble.ReadAndWait(follower, "touch 1").ok());
  ASSERT_TRUE(ensemble.ReadAndWait(leader, "touch 2").ok());
  EXPECT_THAT(ensemble.at(leader).state_machine.notes,
              ElementsAre(std::pair(ServerId(follower), "touch 1"),
                          std::pair(ServerId(leader), "touch 2")));
  ensemble.at(follower).replica.SendNote("touch 3");
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.at(leader).state_machine.notes.size() == 3; }));
}

TEST(Replica, ReadWhoseNoteTheLeaderRefusesFails) {
  Ensemble ensemble(3, 9);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  EXPECT_TRUE(absl::IsUnavailable(ensemble.ReadAndWait(leader, "refuse me").status()));
  EXPECT_TRUE(absl::IsUnavailable(ensemble.ReadAndWait(follower, "refuse me").status()));
  EXPECT_TRUE(ensemble.ReadAndWait(follower, "touch").ok());
}

TEST(Replica, LeaderThatWasPausedDoesNotConfirmReads) {
  Ensemble ensemble(3, 10);
  ensemble.StartAll();
  const uint32_t old_leader = ensemble.WaitForLeader();
  ensemble.at(old_leader).executor.Pause();
  uint32_t leader = 0;
  ASSERT_TRUE(ensemble.Until([&] {
    leader = ensemble.Leader();
    return leader != 0 && leader != old_leader;
  }));
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "new").ok());
  ASSERT_TRUE(ensemble.Until(
      [&] { return ensemble.at(leader).state_machine.commands.size() == 1; }));
  const LogIndex written = ensemble.at(leader).state_machine.applied;
  const auto read = ensemble.Read(old_leader);
  ensemble.at(old_leader).executor.Resume();
  ASSERT_TRUE(ensemble.Until([&] { return read->has_value(); }));
  if ((*read)->ok()) {
    EXPECT_GE(***read, written);
  }
}

TEST(Replica, LeaderWithoutAQuorumLosesContactAndRejectsReads) {
  Ensemble ensemble(3, 11);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ensemble.network.Isolate(ServerId(leader), SimNetwork::Cut::kSilent);
  const auto read = ensemble.Read(leader);
  ASSERT_TRUE(ensemble.Until([&] { return read->has_value(); }, absl::Seconds(1)));
  EXPECT_TRUE(absl::IsUnavailable((*read)->status()));
  EXPECT_TRUE(ensemble.Until([&] { return !ensemble.at(leader).replica.status().in_contact; },
                             absl::Seconds(1)));
  EXPECT_FALSE(ensemble.at(leader).replica.status().not_in_contact_reason.empty());
}

TEST(Replica, TicksTellThePauseThatPassed) {
  Ensemble ensemble(1, 12);
  ensemble.StartAll();
  ensemble.WaitForLeader();
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  ensemble.at(1).executor.Pause();
  ensemble.scheduler.RunFor(absl::Seconds(5));
  ensemble.at(1).state_machine.ticks.clear();
  ensemble.at(1).executor.Resume();
  ensemble.scheduler.RunFor(absl::Milliseconds(200));
  ASSERT_FALSE(ensemble.at(1).state_machine.ticks.empty());
  EXPECT_GE(ensemble.at(1).state_machine.ticks.front(), absl::Seconds(5));
}

TEST(Replica, ApplierGetsTheNextRangeWhenItHasCaughtUp) {
  Ensemble ensemble(1, 13);
  ensemble.StartAll();
  ensemble.WaitForLeader();
  ensemble.scheduler.RunFor(absl::Milliseconds(50));
  RecordingStateMachine& state_machine = ensemble.at(1).state_machine;
  state_machine.hold_applied = true;
  const size_t calls = state_machine.apply_calls;
  for (const std::string& command : Numbered(20)) {
    ASSERT_TRUE(ensemble.ProposeAndWait(1, command).ok());
    ensemble.scheduler.RunFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(state_machine.apply_calls, calls + 1);
  state_machine.hold_applied = false;
  ensemble.at(1).replica.OnApplied(state_machine.applied);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied(Numbered(20)); }));
}

TEST(Replica, FailedWriteStopsTheServer) {
  Ensemble ensemble(1, 14);
  ensemble.StartAll();
  ensemble.WaitForLeader();
  ensemble.disk(1).FailWrites();
  ensemble.Propose(1, "a");
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.at(1).fatal.has_value(); }));
  EXPECT_TRUE(ensemble.AllApplied({}));
  EXPECT_TRUE(absl::IsUnavailable(ensemble.ProposeAndWait(1, "b")));
}

TEST(Replica, NearlyFullDiskRejectsProposalsUntilThereIsRoom) {
  Ensemble ensemble(1, 15);
  ensemble.StartAll();
  ensemble.WaitForLeader();
  ensemble.disk(1).SetFull(true);
  const absl::Status refused = ensemble.ProposeAndWait(1, "a");
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(base::OutcomeOf(refused), base::Outcome::kRejected);
  EXPECT_TRUE(ensemble.ReadAndWait(1).ok());
  ensemble.disk(1).SetFull(false);
  EXPECT_TRUE(ensemble.ProposeAndWait(1, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"b"}); }));
}

// On every server: a follower with a nearly full disk takes it from the leader.
TEST(Replica, NearlyFullDisksLetUpkeepPass) {
  Ensemble ensemble(3, 19);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  for (uint32_t id = 1; id <= 3; ++id) ensemble.disk(id).SetFull(true);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  EXPECT_TRUE(ensemble.ProposeAndWait(follower, "upkeep").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(ensemble.ProposeAndWait(follower, "growth")));
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"upkeep"}); }));
}

// The leader has room; what it appended would wait for a majority that has none.
TEST(Replica, NearlyFullDisksOfFollowersRejectGrowthWhenThereIsNoMajorityWithoutThem) {
  Ensemble ensemble(3, 21);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  const uint32_t other = 6 - leader - follower;
  const absl::Duration told = absl::Milliseconds(200);  // some heartbeats
  ensemble.disk(follower).SetFull(true);
  ensemble.scheduler.RunFor(told);
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "one is not missed").ok());
  ensemble.disk(other).SetFull(true);
  ensemble.scheduler.RunFor(told);
  for (const uint32_t id : {leader, follower}) {
    const absl::Status refused = ensemble.ProposeAndWait(id, "growth");
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_EQ(base::OutcomeOf(refused), base::Outcome::kRejected);
    EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("disks of other servers"));
    EXPECT_TRUE(ensemble.ReadAndWait(id).ok());
  }
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "upkeep").ok());
  ensemble.disk(other).SetFull(false);
  ensemble.scheduler.RunFor(told);
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(
      ensemble.Until([&] { return ensemble.AllApplied({"one is not missed", "upkeep", "b"}); }));
}

TEST(Replica, FullDisksOfFollowersTakeNothingUntilThereIsRoom) {
  Ensemble ensemble(3, 22);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != leader) ensemble.disk(id).SetRoom(raft::DiskRoom::kNothing);
  }
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "before it is known").ok());
  ensemble.scheduler.RunFor(absl::Milliseconds(500));
  EXPECT_TRUE(ensemble.AllApplied({}));
  EXPECT_GT(ensemble.CounterOf(follower, "bell_raft_appends_refused_disk_total"), 0u);
  EXPECT_EQ(ensemble.Leader(), leader) << "nothing else is wrong";
  for (const char* command : {"growth", "upkeep"}) {
    EXPECT_TRUE(absl::IsResourceExhausted(ensemble.ProposeAndWait(leader, command)));
  }
  EXPECT_TRUE(ensemble.ReadAndWait(follower).ok());
  for (uint32_t id = 1; id <= 3; ++id) ensemble.disk(id).SetFull(false);
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"before it is known"}); }));
  ensemble.scheduler.RunFor(absl::Milliseconds(200));  // some heartbeats
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "after").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"before it is known", "after"}); }));
}

// The first entry of a leader is taken where no command is: so a new leader's reads are served, too.
TEST(Replica, FullDisksLetALeaderBegin) {
  Ensemble ensemble(3, 23);
  ensemble.StartAll();
  const uint32_t first = ensemble.WaitForLeader();
  for (uint32_t id = 1; id <= 3; ++id) ensemble.disk(id).SetRoom(raft::DiskRoom::kNothing);
  ensemble.Crash(first);
  const uint32_t second = ensemble.WaitForLeader();
  ASSERT_NE(second, 0u);
  EXPECT_TRUE(ensemble.ReadAndWait(second).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(ensemble.ProposeAndWait(second, "upkeep")));
}

// Before any of its entries is answered.
TEST(Replica, ANewLeaderKnowsOfTheFullDisksOfItsVoters) {
  int had_room = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t first = ensemble.StartAndElect();
    ASSERT_NE(first, 0u);
    const uint32_t full = ensemble.WaitForFollower(first);
    const uint32_t other = 6 - first - full;
    ensemble.disk(full).SetRoom(raft::DiskRoom::kNothing);
    ensemble.scheduler.RunFor(absl::Milliseconds(200));  // until it has looked
    ensemble.Crash(first);
    uint32_t second = 0;
    ASSERT_TRUE(ensemble.Until([&] {
      for (const uint32_t id : {full, other}) {
        if (ensemble.at(id).replica.status().leadership.role == Role::kLeader) second = id;
      }
      return second != 0;
    }));
    had_room += second == other ? 1 : 0;
    EXPECT_TRUE(absl::IsResourceExhausted(ensemble.ProposeAndWait(second, "upkeep")));
    EXPECT_TRUE(ensemble.ReadAndWait(second).ok());
    ensemble.disk(full).SetFull(false);
    ensemble.scheduler.RunFor(absl::Milliseconds(200));  // some heartbeats
    EXPECT_TRUE(ensemble.ProposeAndWait(second, "b").ok());
    EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"b"}); }));
  }
  EXPECT_GT(had_room, 0) << "a leader with a full disk has nothing to learn";
}

TEST(Replica, SaysOfAFullDiskBeforeItsFirstTick) {
  Ensemble ensemble(3, 24);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.Crash(follower);
  ensemble.scheduler.RunFor(absl::Milliseconds(1));
  ensemble.disk(follower).SetRoom(raft::DiskRoom::kNothing);
  ensemble.network.reconnect_last = absl::Milliseconds(1);
  std::vector<raft::DiskRoom> said;
  ensemble.network.on_send = [&](ServerId from, ServerId, const PeerMessage& message) {
    const auto* sent = std::get_if<raft::Message>(&message);
    if (sent == nullptr || from != ServerId(follower)) return;
    const auto* answer = std::get_if<raft::AppendResponse>(&sent->body);
    if (answer != nullptr) said.push_back(answer->disk_room);
  };
  ensemble.Start(follower);
  for (int ms = 1; ms < 10; ++ms) {  // a tick takes 10
    ensemble.Read(leader);           // asks the followers
    ensemble.scheduler.RunFor(absl::Milliseconds(1));
  }
  ensemble.network.on_send = nullptr;
  EXPECT_THAT(said, Not(IsEmpty()));
  EXPECT_THAT(said, Each(raft::DiskRoom::kNothing));
}

TEST(Replica, RefusalsForAFullDiskAreAnsweredInTheirOrder) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    ensemble.StartAll();
    const uint32_t leader = ensemble.WaitForLeader();
    for (uint32_t id = 1; id <= 3; ++id) ensemble.disk(id).SetFull(true);
    const uint32_t follower = ensemble.WaitForFollower(leader);
    std::vector<Ensemble::ProposeResult> results;
    for (int i = 0; i < 100; ++i) {
      results.push_back(ensemble.Propose(follower, i % 2 == 0 ? "upkeep" : "growth"));
      ensemble.scheduler.RunFor(absl::Microseconds(20));
    }
    ASSERT_TRUE(ensemble.Until([&] {
      return std::all_of(results.begin(), results.end(),
                         [](const auto& result) { return result->has_value(); });
    }));
    for (size_t i = 0; i < results.size(); ++i) {
      const absl::Status& status = **results[i];
      EXPECT_EQ(i % 2 == 0 ? status.ok() : absl::IsResourceExhausted(status), true) << status;
    }
  }
}

TEST(Replica, AProposalThatNoMessageHoldsIsRejected) {
  Ensemble ensemble(3, 20);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const std::string large(ensemble.options(leader).proposal_bytes_max, 'x');
  for (uint32_t id : {leader, ensemble.WaitForFollower(leader)}) {
    const absl::Status refused = ensemble.ProposeAndWait(id, large);
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_EQ(base::OutcomeOf(refused), base::Outcome::kRejected);
  }
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
}

TEST(Replica, WhatWaitedGoesIntoMessagesThatCanBeSent) {
  Ensemble ensemble(3, 21);
  ensemble.network.message_bytes_max = 7'000;
  for (uint32_t id = 1; id <= 3; ++id) {
    ensemble.options(id).entry_bytes_max = 1'000;
    ensemble.options(id).proposal_bytes_max = 6'000;
  }
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  for (uint32_t id : {leader, follower}) ensemble.at(id).executor.Pause();
  std::vector<Ensemble::ProposeResult> results;
  for (int i = 0; i < 40; ++i) {
    results.push_back(ensemble.Propose(i % 2 == 0 ? leader : follower, std::string(500, 'x')));
  }
  for (uint32_t id : {leader, follower}) ensemble.at(id).executor.Resume();
  ASSERT_TRUE(ensemble.Until([&] {
    return ensemble.at(leader).state_machine.commands.size() == results.size() &&
           ensemble.AllApplied(ensemble.at(leader).state_machine.commands);
  }));
  for (const auto& result : results) EXPECT_TRUE(result->has_value() && (*result)->ok());
  EXPECT_EQ(ensemble.network.counts().too_large, 0u);
}

TEST(Replica, ForwardsBeyondTheBoundAreRejected) {
  Ensemble ensemble(3, 16);
  for (uint32_t id = 1; id <= 3; ++id) ensemble.options(id).forward_bytes_max = 1000;
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.at(leader).executor.Pause();
  const auto first = ensemble.Propose(follower, std::string(600, 'a'));
  const auto second = ensemble.Propose(follower, std::string(600, 'b'));
  ensemble.scheduler.RunFor(absl::Milliseconds(5));
  EXPECT_FALSE(first->has_value());
  ASSERT_TRUE(second->has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(**second));
}

TEST(Replica, StopAnswersWhatIsOutstanding) {
  Ensemble ensemble(3, 17);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.at(leader).executor.Pause();
  const auto proposed = ensemble.Propose(follower, "a");
  const auto read = ensemble.Read(follower);
  ensemble.scheduler.RunFor(absl::Milliseconds(5));
  ensemble.at(follower).replica.Stop();
  ensemble.scheduler.RunFor(absl::Milliseconds(5));
  ASSERT_TRUE(proposed->has_value() && read->has_value());
  EXPECT_EQ(base::OutcomeOf(**proposed), base::Outcome::kUnknown);
  EXPECT_TRUE(absl::IsUnavailable((*read)->status()));
}

TEST(Replica, ABroadcastReachesTheOthersFromTheLeaderOnly) {
  Ensemble ensemble(3, 41);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.at(follower).replica.Broadcast("from a follower");
  ensemble.at(leader).replica.Broadcast("from the leader");
  ensemble.scheduler.RunFor(absl::Milliseconds(50));
  for (uint32_t id = 1; id <= 3; ++id) {
    const std::vector<std::string>& heard = ensemble.at(id).state_machine.broadcasts;
    if (id == leader) {
      EXPECT_THAT(heard, ElementsAre());
    } else {
      EXPECT_THAT(heard, ElementsAre("from the leader"));
    }
  }
}

}  // namespace
}  // namespace bellwether::coord

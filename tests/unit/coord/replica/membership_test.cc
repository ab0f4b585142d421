// Changes of who is in the ensemble, with proposals under way, by whole servers in a simulated world.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;
using Kind = MembershipChange::Kind;

MembershipChange Add(uint32_t id) {
  return {Kind::kAdd, ServerId(id), Ensemble::PeerOf(id).address};
}
MembershipChange Remove(uint32_t id) { return {Kind::kRemove, ServerId(id), ""}; }
MembershipChange Transfer(uint32_t id) { return {Kind::kTransfer, ServerId(id), ""}; }

std::vector<uint32_t> VotersOf(const absl::StatusOr<MembershipView>& view) {
  std::vector<uint32_t> voters;
  if (!view.ok()) return voters;
  for (const MemberInfo& member : view->members) {
    if (member.voter && !member.leaving) voters.push_back(member.id.value());
  }
  return voters;
}

bool Contains(const std::vector<std::string>& commands, const std::string& command) {
  return std::find(commands.begin(), commands.end(), command) != commands.end();
}

// One command, with the patience of a client: tried until the leader of then has applied one, which is
// remembered. Those before it may have been applied as well.
void Write(Ensemble& ensemble, std::vector<std::string>& written) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const uint32_t leader = ensemble.WaitForLeader();
    if (leader == 0) continue;
    const std::string command = std::to_string(written.size()) + "." + std::to_string(attempt);
    ensemble.Propose(leader, command);
    const bool applied = ensemble.Until(
        [&] { return Contains(ensemble.at(leader).state_machine.commands, command); },
        absl::Seconds(2));
    if (applied) return written.push_back(command);
  }
  FAIL() << "no leader takes commands";
}

// Whether these servers have applied the same commands, all that are remembered among them.
bool Agree(Ensemble& ensemble, const std::vector<uint32_t>& servers,
           const std::vector<std::string>& written) {
  const std::vector<std::string>& first = ensemble.at(servers.front()).state_machine.commands;
  for (const std::string& command : written) {
    if (!Contains(first, command)) return false;
  }
  return std::all_of(servers.begin(), servers.end(), [&](uint32_t id) {
    return ensemble.at(id).state_machine.commands == first;
  });
}

// Kills a server that follows; returns it when the leader misses it.
uint32_t CrashFollower(Ensemble& ensemble) {
  const uint32_t follower = ensemble.WaitForFollower(ensemble.WaitForLeader());
  ensemble.Crash(follower);
  ensemble.scheduler.RunFor(absl::Seconds(1));
  return follower;
}

TEST(Membership, GrowsFromOneToFiveWhileCommandsGoOn) {
  Ensemble ensemble(1, 1);
  ensemble.StartAll();
  std::vector<std::string> written;
  for (uint32_t id = 2; id <= 5; ++id) {
    Write(ensemble, written);
    ensemble.AddMachine(id);
    const absl::Status joined = ensemble.Join(id);
    ASSERT_TRUE(joined.ok()) << id << ": " << joined;
    Write(ensemble, written);
  }
  EXPECT_EQ(VotersOf(ensemble.Change({})), (std::vector<uint32_t>{1, 2, 3, 4, 5}));
  EXPECT_TRUE(ensemble.Until([&] { return Agree(ensemble, {1, 2, 3, 4, 5}, written); }));
  // Three that came later are a quorum.
  ensemble.Crash(1);
  ensemble.Crash(2);
  Write(ensemble, written);
  EXPECT_TRUE(ensemble.Until([&] { return Agree(ensemble, {3, 4, 5}, written); }));
}

TEST(Membership, AnAddedServerWithoutAVoteIsALearner) {
  Ensemble ensemble(3, 2);
  ensemble.StartAll();
  ASSERT_NE(ensemble.WaitForLeader(), 0u);
  ensemble.AddMachine(4);
  ensemble.Start(4);
  ASSERT_TRUE(ensemble.Until([&] { return !ensemble.at(4).replica.status().is_member; }));
  EXPECT_THAT(ensemble.at(4).replica.status().not_in_contact_reason, HasSubstr("cluster add 4="));
  ASSERT_TRUE(ensemble.Change(Add(4)).ok());
  std::vector<std::string> written;
  Write(ensemble, written);
  ASSERT_TRUE(ensemble.Until([&] { return Agree(ensemble, {1, 2, 3, 4}, written); }));
  EXPECT_EQ(ensemble.at(4).replica.status().leadership.role, Role::kLearner);
  EXPECT_TRUE(ensemble.at(4).replica.status().is_member);
  EXPECT_EQ(VotersOf(ensemble.Change({})), (std::vector<uint32_t>{1, 2, 3}));
}

// "1 zk1 voter", for each member that a server's status names.
std::vector<std::string> MembersOf(Ensemble& ensemble, uint32_t id) {
  std::vector<std::string> members;
  const ReplicaStatus status = ensemble.at(id).replica.status();
  if (status.changing) return {"changing"};
  for (const ReplicaStatus::Peer& peer : status.servers) {
    if (!peer.member) continue;
    members.push_back(std::to_string(peer.address.id.value()) + " " + peer.zk +
                      (peer.voter ? " voter" : ""));
  }
  return members;
}

TEST(Membership, TheStatusSaysWhoIsInAndWhereTheirClientsGo) {
  Ensemble ensemble(3, 12);
  for (uint32_t id = 1; id <= 3; ++id) ensemble.options(id).zk = "zk" + std::to_string(id);
  ensemble.StartAll();
  ASSERT_NE(ensemble.WaitForLeader(), 0u);
  const std::vector<std::string> all = {"1 zk1 voter", "2 zk2 voter", "3 zk3 voter"};
  EXPECT_TRUE(ensemble.Until([&] { return MembersOf(ensemble, ensemble.Leader()) == all; }));
  ensemble.AddMachine(4);
  ensemble.options(4).zk = "zk4";
  ensemble.Start(4);
  ASSERT_TRUE(ensemble.Change(Add(4)).ok());
  const std::vector<std::string> with_4 = {all[0], all[1], all[2], "4 zk4"};
  EXPECT_TRUE(ensemble.Until([&] { return MembersOf(ensemble, ensemble.Leader()) == with_4; }));
  ASSERT_TRUE(ensemble.Change(Remove(4)).ok());
  EXPECT_TRUE(ensemble.Until([&] { return MembersOf(ensemble, ensemble.Leader()) == all; },
                             absl::Milliseconds(200)));  // it is still told that it was removed
}

TEST(Membership, AskingForWhatIsSoChangesNothing) {
  Ensemble ensemble(3, 3);
  ensemble.StartAll();
  const absl::StatusOr<MembershipView> before = ensemble.Change({});
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_TRUE(ensemble.Change(Add(2)).ok());
  EXPECT_TRUE(ensemble.Change({Kind::kPromote, ServerId(2), ""}).ok());
  const absl::StatusOr<MembershipView> after = ensemble.Change(Remove(9));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->index, before->index);
}

TEST(Membership, ADeadServerIsReplaced) {
  Ensemble ensemble(3, 4);
  ensemble.StartAll();
  std::vector<std::string> written;
  Write(ensemble, written);
  const uint32_t dead = CrashFollower(ensemble);
  const absl::StatusOr<MembershipView> removed = ensemble.Change(Remove(dead));
  ASSERT_TRUE(removed.ok()) << removed.status();
  ensemble.AddMachine(6);
  const absl::Status joined = ensemble.Join(6);
  ASSERT_TRUE(joined.ok()) << joined;
  Write(ensemble, written);
  const std::vector<uint32_t> voters = VotersOf(ensemble.Change({}));
  EXPECT_EQ(voters.size(), 3u);
  EXPECT_TRUE(ensemble.Until([&] { return Agree(ensemble, voters, written); }));
}

TEST(Membership, ALeaderThatIsRemovedHandsOverAndSaysThatItWasRemoved) {
  Ensemble ensemble(3, 5);
  ensemble.StartAll();
  std::vector<std::string> written;
  Write(ensemble, written);
  const uint32_t old_leader = ensemble.WaitForLeader();
  const absl::StatusOr<MembershipView> removed = ensemble.Change(Remove(old_leader));
  ASSERT_TRUE(removed.ok()) << removed.status();
  ASSERT_TRUE(ensemble.Until([&] {
    const uint32_t leader = ensemble.Leader();
    return leader != 0 && leader != old_leader;
  }));
  ASSERT_TRUE(
      ensemble.Until([&] { return !ensemble.at(old_leader).replica.status().is_member; }));
  const ReplicaStatus status = ensemble.at(old_leader).replica.status();
  EXPECT_THAT(status.not_in_contact_reason, HasSubstr("removed from the ensemble"));
  // It disturbs nobody.
  const Term term = ensemble.at(ensemble.Leader()).replica.status().leadership.term;
  ensemble.scheduler.RunFor(absl::Seconds(20));
  EXPECT_EQ(ensemble.at(ensemble.WaitForLeader()).replica.status().leadership.term, term);
  // And can come back with the folder that it has.
  const absl::Status joined = ensemble.Join(old_leader);
  EXPECT_TRUE(joined.ok()) << joined;
  Write(ensemble, written);
  EXPECT_TRUE(ensemble.Until([&] { return Agree(ensemble, {1, 2, 3}, written); }));
}

TEST(Membership, AServerThatWasRemovedWhileItWasDownSaysSo) {
  Ensemble ensemble(3, 6);
  ensemble.StartAll();
  const uint32_t away = CrashFollower(ensemble);
  ASSERT_TRUE(ensemble.Change(Remove(away)).ok());
  ensemble.scheduler.RunFor(absl::Seconds(5));
  ensemble.Start(away);
  ASSERT_TRUE(ensemble.Until([&] { return !ensemble.at(away).replica.status().is_member; }));
  EXPECT_THAT(ensemble.at(away).replica.status().not_in_contact_reason,
              HasSubstr("not in the ensemble"));
}

TEST(Membership, TheQuorumIsNotGivenAway) {
  Ensemble ensemble(3, 7);
  ensemble.StartAll();
  CrashFollower(ensemble);
  const uint32_t other = ensemble.WaitForFollower(ensemble.WaitForLeader());
  const absl::StatusOr<MembershipView> refused = ensemble.Change(Remove(other));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("lose its quorum"));
}

// The servers' flags still name the first three only.
TEST(Membership, FlagsFromBeforeAreGoodEnough) {
  Ensemble ensemble(3, 8);
  ensemble.StartAll();
  std::vector<std::string> written;
  Write(ensemble, written);
  for (uint32_t id : {4u, 5u}) {
    ensemble.AddMachine(id);
    ASSERT_TRUE(ensemble.Join(id).ok());
  }
  ASSERT_TRUE(ensemble.Change(Transfer(5)).ok());
  for (uint32_t id : {1u, 2u}) ensemble.Crash(id);
  ensemble.Start(1);
  ensemble.CrashAndWipe(3);  // knows of nobody but the first three when it starts
  ensemble.Start(3);
  Write(ensemble, written);
  EXPECT_TRUE(ensemble.Until([&] {
    return Agree(ensemble, {1, 3, 4, 5}, written) &&
           ensemble.at(3).replica.status().leadership.role != Role::kLearner;
  }));
}

TEST(Membership, AnyServerPassesTheRequestOn) {
  Ensemble ensemble(3, 9);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t asked = ensemble.WaitForFollower(leader);
  const auto viewed = ensemble.Ask(asked, {});
  ASSERT_TRUE(ensemble.Until([&] { return viewed->has_value(); }));
  ASSERT_TRUE((*viewed)->ok()) << (*viewed)->status();
  EXPECT_EQ((**viewed)->leader, ServerId(leader));
  EXPECT_EQ((**viewed)->members.size(), 3u);
  const auto moved = ensemble.Ask(asked, Transfer(asked));
  ASSERT_TRUE(ensemble.Until([&] { return moved->has_value(); }));
  EXPECT_TRUE((*moved)->ok()) << (*moved)->status();
  EXPECT_EQ(ensemble.WaitForLeader(), asked);
}

TEST(Membership, TransfersAskedForTogetherAreAnsweredByWhoLeadsThen) {
  Ensemble ensemble(3, 11);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  const uint32_t first = leader % 3 + 1;
  const uint32_t second = first % 3 + 1;
  const auto to_first = ensemble.Ask(leader, Transfer(first));
  const auto to_second = ensemble.Ask(leader, Transfer(second));
  const auto to_second_of_itself = ensemble.Ask(second, Transfer(second));
  const auto to_any = ensemble.Ask(leader, Transfer(0));
  ASSERT_TRUE(ensemble.Until([&] {
    return to_first->has_value() && to_second->has_value() && to_any->has_value() &&
           to_second_of_itself->has_value();
  }));
  for (const auto& granted : {to_first, to_any}) {
    ASSERT_TRUE((*granted)->ok()) << (*granted)->status();
    EXPECT_EQ((**granted)->leader, ServerId(first));
  }
  for (const auto& refused : {to_second, to_second_of_itself}) {
    const absl::Status& status = (*refused)->status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(base::OutcomeOf(status), base::Outcome::kRejected);
    EXPECT_THAT(std::string(status.message()), HasSubstr("try again"));
  }
  ASSERT_TRUE(ensemble.Change(Transfer(second)).ok());
  EXPECT_EQ(ensemble.WaitForLeader(), second);
}

// Both are at one index; the one of the deposed leader goes with its entry.
TEST(Membership, OneThatTookThePlaceOfAnotherIsSaidToThePeers) {
  std::optional<Hello> said;
  Ensemble ensemble(3, 10);
  ensemble.StartAll();
  const uint32_t deposed = ensemble.WaitForLeader();
  ASSERT_TRUE(ensemble.ProposeAndWait(deposed, "a").ok());
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  ensemble.network.Isolate(ServerId(deposed), SimNetwork::Cut::kSilent);
  ensemble.Propose(deposed, "lost");
  const Ensemble::MembershipResult lost = ensemble.Ask(deposed, Add(4));
  ASSERT_TRUE(ensemble.Until([&] {
    return lost->has_value() && ensemble.Leader() != 0 && ensemble.Leader() != deposed;
  }));
  EXPECT_EQ(base::OutcomeOf((*lost)->status()), base::Outcome::kUnknown);
  const absl::StatusOr<MembershipView> added = ensemble.Change(Add(5));
  ASSERT_TRUE(added.ok()) << added.status();
  ensemble.network.on_send = [&](ServerId from, ServerId, const PeerMessage& message) {
    const auto* hello = std::get_if<Hello>(&message);
    if (hello != nullptr && from == ServerId(deposed)) said = *hello;
  };
  ensemble.network.HealAll();
  const std::vector<PeerAddress> expected = {Ensemble::PeerOf(1), Ensemble::PeerOf(2),
                                             Ensemble::PeerOf(3), Ensemble::PeerOf(5)};
  ASSERT_TRUE(ensemble.Until([&] { return said.has_value() && said->members == expected; }));
  EXPECT_EQ(said->members_index, added->index);
  ensemble.network.on_send = nullptr;
}

// Whoever dies, and when: asked again, the change is made, and nothing acknowledged is lost.
TEST(Membership, CrashesAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Ensemble ensemble(3, seed);
    ensemble.StartAll();
    std::vector<std::string> written;
    Write(ensemble, written);
    ensemble.AddMachine(4);
    ensemble.Start(4);
    ASSERT_TRUE(ensemble.Change(Add(4)).ok());
    const uint32_t leader = ensemble.WaitForLeader();
    ensemble.Ask(leader, {Kind::kPromote, ServerId(4), ""});
    ensemble.scheduler.RunFor(
        ensemble.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(20)));
    const uint32_t victim = 1 + static_cast<uint32_t>(seed % 4);
    ensemble.Crash(victim);
    Write(ensemble, written);
    ensemble.Start(victim);
    const absl::Status joined = ensemble.Join(4);
    ASSERT_TRUE(joined.ok()) << "seed " << seed << ": " << joined;
    ensemble.Ask(ensemble.WaitForLeader(), Remove(leader));
    ensemble.scheduler.RunFor(
        ensemble.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(20)));
    ensemble.Crash(leader);
    const absl::StatusOr<MembershipView> removed = ensemble.Change(Remove(leader));
    ASSERT_TRUE(removed.ok()) << "seed " << seed << ": " << removed.status();
    Write(ensemble, written);
    const std::vector<uint32_t> voters = VotersOf(ensemble.Change({}));
    ASSERT_EQ(voters.size(), 3u) << "seed " << seed;
    ASSERT_TRUE(ensemble.Until([&] { return Agree(ensemble, voters, written); })) << "seed " << seed;
  }
}

}  // namespace
}  // namespace bellwether::coord

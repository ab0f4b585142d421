#include "coord/replica/membership_change.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;
using Kind = MembershipChange::Kind;
using raft::LogIndex;
using raft::Member;
using raft::ServerId;

std::string AddressOf(uint32_t id) { return "host" + std::to_string(id) + ":2192"; }

// Voters 1 to `voters`.
std::vector<Member> Voters(uint32_t voters) {
  std::vector<Member> members;
  for (uint32_t id = 1; id <= voters; ++id) members.push_back({ServerId(id), AddressOf(id), true});
  return members;
}

// Of a leader 1, everybody up and with all of a log of 5,000 entries.
MembershipView ViewOf(const std::vector<Member>& members) {
  MembershipView view;
  view.leader = ServerId(1);
  view.last_index = LogIndex(5'000);
  for (const Member& member : members) {
    MemberInfo& info = view.members.emplace_back();
    info.id = member.id;
    info.address = member.address;
    info.voter = member.voter;
    info.active = true;
    info.match = view.last_index;
  }
  return view;
}

MembershipChange Add(uint32_t id, std::string address) {
  return {Kind::kAdd, ServerId(id), std::move(address)};
}

// --- What is to be

TEST(MembersAfter, AddGivesALearnerAmongTheOthersByItsId) {
  std::vector<Member> members = Voters(3);
  members.erase(members.begin() + 1);
  const auto after = MembersAfter(members, Add(2, "new:1"));
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ(after->size(), 3u);
  EXPECT_EQ(after->at(1), (Member{ServerId(2), "new:1", false}));
}

// The membership is in every snapshot's header and in one message, which both have their bounds.
TEST(MembersAfter, AnAddressHasABoundAndSoHasTheRefusal) {
  for (const std::string& address : {std::string(1 << 20, 'h') + ":1", std::string("host:0")}) {
    const absl::Status refused = MembersAfter(Voters(3), Add(4, address)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
    EXPECT_LT(refused.message().size(), 400u);
  }
}

TEST(MembersAfter, WhatIsSoAlreadyStaysAsItIs) {
  EXPECT_EQ(*MembersAfter(Voters(3), Add(3, AddressOf(3))), Voters(3));
  EXPECT_EQ(*MembersAfter(Voters(3), {Kind::kPromote, ServerId(2), ""}), Voters(3));
  EXPECT_EQ(*MembersAfter(Voters(3), {Kind::kRemove, ServerId(7), ""}), Voters(3));
}

TEST(MembersAfter, PromoteGivesTheVoteAndRemoveTakesTheServer) {
  std::vector<Member> members = Voters(3);
  members[2].voter = false;
  EXPECT_EQ(*MembersAfter(members, {Kind::kPromote, ServerId(3), ""}), Voters(3));
  EXPECT_EQ(*MembersAfter(Voters(3), {Kind::kRemove, ServerId(3), ""}), Voters(2));
}

TEST(MembersAfter, RefusesWithAReason) {
  const auto message = [](const absl::StatusOr<std::vector<Member>>& after) {
    return std::string(after.status().message());
  };
  const auto moved = MembersAfter(Voters(3), Add(3, "elsewhere:1"));
  EXPECT_TRUE(absl::IsFailedPrecondition(moved.status()));
  EXPECT_THAT(message(moved), HasSubstr("host3:2192"));
  EXPECT_THAT(message(MembersAfter(Voters(3), Add(4, AddressOf(2)))), HasSubstr("of server 2"));
  EXPECT_THAT(message(MembersAfter(Voters(9), Add(10, "new:1"))), HasSubstr("9 servers"));
  const auto unknown = MembersAfter(Voters(3), {Kind::kPromote, ServerId(4), ""});
  EXPECT_TRUE(absl::IsNotFound(unknown.status()));
  EXPECT_THAT(message(unknown), HasSubstr("add"));
  EXPECT_THAT(message(MembersAfter(Voters(1), {Kind::kRemove, ServerId(1), ""})),
              HasSubstr("last one with a vote"));
  for (const MembershipChange& bad : {Add(0, "new:1"), Add(255, "new:1"), Add(4, "nonsense"),
                                      Add(4, "new:0"), MembershipChange()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(MembersAfter(Voters(3), bad).status()));
  }
}

// --- Whether it is safe

TEST(CheckSafe, VotersThatAreUpMustBeAMajorityAfterwards) {
  MembershipView view = ViewOf(Voters(3));
  EXPECT_TRUE(CheckSafe(Voters(2), view).ok());
  view.members[1].active = false;
  const absl::Status refused = CheckSafe(Voters(2), view);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("lose its quorum"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("server 2"));
  EXPECT_TRUE(CheckSafe({Voters(3)[0], Voters(3)[2]}, view).ok()) << "the one that is down leaves";
}

TEST(CheckSafe, AVoterThatAwaitsReadmissionIsNotUp) {
  MembershipView view = ViewOf(Voters(3));
  view.members[2].awaiting_readmission = true;
  EXPECT_FALSE(CheckSafe({Voters(3)[0], Voters(3)[2]}, view).ok());
}

// Thesis section 4.2.1: a server gets its vote when it has caught up.
TEST(CheckSafe, ANewVoterMustBeUpAndNear) {
  std::vector<Member> now = Voters(4);
  now[3].voter = false;
  const MembershipView able = ViewOf(now);
  EXPECT_TRUE(CheckSafe(Voters(4), able).ok());
  MembershipView down = able;
  down.members[3].active = false;
  EXPECT_THAT(std::string(CheckSafe(Voters(4), down).message()), HasSubstr("doesn't answer"));
  MembershipView behind = able;
  behind.members[3].match = LogIndex(100);
  EXPECT_THAT(std::string(CheckSafe(Voters(4), behind).message()), HasSubstr("4900 entries"));
  MembershipView snapshot = able;
  snapshot.members[3].needs_snapshot = true;
  EXPECT_THAT(std::string(CheckSafe(Voters(4), snapshot).message()), HasSubstr("snapshot"));
}

TEST(CheckSafe, EveryMemberOfSeveralNeedsAnAddress) {
  std::vector<Member> members = Voters(2);
  members[0].address.clear();
  EXPECT_THAT(std::string(CheckSafe(members, ViewOf(members)).message()), HasSubstr("--peer 1="));
}

TEST(CheckTransfer, OnlyAVoterThatIsUpCanLead) {
  std::vector<Member> members = Voters(4);
  members[3].voter = false;
  MembershipView view = ViewOf(members);
  view.members[2].active = false;
  EXPECT_TRUE(CheckTransfer(ServerId(0), view).ok());
  EXPECT_TRUE(CheckTransfer(ServerId(1), view).ok());
  EXPECT_TRUE(CheckTransfer(ServerId(2), view).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckTransfer(ServerId(3), view)));
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckTransfer(ServerId(4), view)));
  EXPECT_TRUE(absl::IsNotFound(CheckTransfer(ServerId(5), view)));
  view.members[1].leaving = true;
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckTransfer(ServerId(0), view))) << "nobody is left";
}

}  // namespace
}  // namespace bellwether::coord

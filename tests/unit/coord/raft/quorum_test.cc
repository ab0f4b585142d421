#include "coord/raft/quorum.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

std::vector<ServerId> Ids(const std::vector<uint32_t>& ids) {
  std::vector<ServerId> servers;
  for (uint32_t id : ids) servers.push_back(ServerId(id));
  return servers;
}

std::vector<Member> Members(const std::vector<uint32_t>& ids) {
  std::vector<Member> members;
  for (uint32_t id : ids) members.push_back({ServerId(id), ""});
  return members;
}

VoterSet Voters(const std::vector<uint32_t>& ids) { return VoterSet({Members(ids), {}}); }

VoterSet Joint(const std::vector<uint32_t>& ids, const std::vector<uint32_t>& next) {
  return VoterSet({Members(ids), Members(next)});
}

// values[i] is that of server i + 1.
uint64_t Reached(const VoterSet& voters, const std::vector<uint64_t>& values) {
  return voters.ReachedByMajority(
      [&values](ServerId server) { return values.at(server.value() - 1); });
}

VoteResult Result(const VoterSet& voters, const std::vector<uint32_t>& granted,
                  const std::vector<uint32_t>& refused) {
  return voters.Result(Ids(granted), Ids(refused));
}

TEST(VoterSet, ReachedByMajorityIsTheMedianOrLower) {
  EXPECT_EQ(Reached(Voters({1}), {7}), 7u);
  EXPECT_EQ(Reached(Voters({1, 2}), {7, 3}), 3u);
  EXPECT_EQ(Reached(Voters({1, 2, 3}), {9, 0, 4}), 4u);
  EXPECT_EQ(Reached(Voters({1, 2, 3, 4}), {1, 2, 3, 4}), 2u);
  EXPECT_EQ(Reached(Voters({1, 2, 3, 4, 5}), {0, 0, 8, 9, 9}), 8u);
}

TEST(VoterSet, ServersThatDoNotCountNeverMakeAMajoritySmaller) {
  EXPECT_EQ(Reached(Voters({1, 2, 3}), {9, 0, 0}), 0u);
}

TEST(VoterSet, ResultIsDecidedAsSoonAsItCanBe) {
  EXPECT_EQ(Result(Voters({1}), {1}, {}), VoteResult::kWon);
  EXPECT_EQ(Result(Voters({1, 2, 3}), {1}, {2}), VoteResult::kPending);
  EXPECT_EQ(Result(Voters({1, 2, 3}), {1, 3}, {}), VoteResult::kWon);
  EXPECT_EQ(Result(Voters({1, 2, 3}), {1}, {2, 3}), VoteResult::kLost);
  EXPECT_EQ(Result(Voters({1, 2, 3, 4}), {1, 2}, {3, 4}), VoteResult::kLost);
  EXPECT_EQ(Result(Voters({1, 2, 3, 4}), {1, 2}, {3}), VoteResult::kPending);
}

// Thesis section 4.3: agreement takes majorities of both.
TEST(VoterSet, JointNeedsAMajorityOfEachHalf) {
  const VoterSet joint = Joint({1, 2, 3}, {3, 4, 5});
  EXPECT_EQ(joint.members(), Ids({1, 2, 3, 4, 5}));
  EXPECT_EQ(Reached(joint, {9, 9, 9, 1, 2}), 2u);
  EXPECT_EQ(Reached(joint, {1, 2, 9, 9, 9}), 2u);
  EXPECT_EQ(Reached(joint, {1, 7, 8, 9, 9}), 7u);
  EXPECT_EQ(Result(joint, {1, 2, 3}, {}), VoteResult::kPending);
  EXPECT_EQ(Result(joint, {1, 2, 3}, {4, 5}), VoteResult::kLost);
  EXPECT_EQ(Result(joint, {2, 3, 4}, {1, 5}), VoteResult::kWon);
}

TEST(VoterSet, LearnersAndStrangersDoNotMatter) {
  Membership membership{Members({1, 2, 3}), {}};
  membership.members[2].voter = false;
  const VoterSet voters(membership);
  EXPECT_EQ(voters.members(), Ids({1, 2}));
  EXPECT_FALSE(voters.Contains(ServerId(3)));
  EXPECT_TRUE(voters.Contains(ServerId(2)));
  EXPECT_EQ(Result(voters, {1, 3, 4}, {}), VoteResult::kPending);
}

}  // namespace
}  // namespace bellwether::coord::raft

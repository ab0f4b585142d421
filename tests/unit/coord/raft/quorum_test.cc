#include "coord/raft/quorum.h"

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

VoterSet Voters(uint32_t count) {
  std::vector<ServerId> servers;
  for (uint32_t id = count; id >= 1; --id) servers.push_back(ServerId(id));
  return VoterSet(servers);
}

TEST(VoterSet, MajorityIsMoreThanHalf) {
  EXPECT_EQ(Voters(1).majority(), 1u);
  EXPECT_EQ(Voters(2).majority(), 2u);
  EXPECT_EQ(Voters(3).majority(), 2u);
  EXPECT_EQ(Voters(4).majority(), 3u);
  EXPECT_EQ(Voters(5).majority(), 3u);
}

TEST(VoterSet, ReachedByMajorityIsTheMedianOrLower) {
  EXPECT_EQ(Voters(1).ReachedByMajority({7}), 7u);
  EXPECT_EQ(Voters(2).ReachedByMajority({7, 3}), 3u);
  EXPECT_EQ(Voters(3).ReachedByMajority({9, 0, 4}), 4u);
  EXPECT_EQ(Voters(4).ReachedByMajority({1, 2, 3, 4}), 2u);
  EXPECT_EQ(Voters(5).ReachedByMajority({0, 0, 8, 9, 9}), 8u);
}

TEST(VoterSet, ServersThatDoNotCountNeverMakeAMajoritySmaller) {
  EXPECT_EQ(Voters(3).ReachedByMajority({9, 0, 0}), 0u);
}

TEST(VoterSet, ResultIsDecidedAsSoonAsItCanBe) {
  EXPECT_EQ(Voters(1).Result(1, 0), VoteResult::kWon);
  EXPECT_EQ(Voters(3).Result(1, 1), VoteResult::kPending);
  EXPECT_EQ(Voters(3).Result(2, 0), VoteResult::kWon);
  EXPECT_EQ(Voters(3).Result(1, 2), VoteResult::kLost);
  EXPECT_EQ(Voters(4).Result(2, 2), VoteResult::kLost);
  EXPECT_EQ(Voters(4).Result(2, 1), VoteResult::kPending);
}

TEST(VoterSet, ContainsItsMembersOnly) {
  EXPECT_TRUE(Voters(3).Contains(ServerId(2)));
  EXPECT_FALSE(Voters(3).Contains(ServerId(4)));
}

}  // namespace
}  // namespace bellwether::coord::raft

#include "coord/raft/membership_log.h"

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

Membership Of(uint32_t servers) {
  Membership membership;
  for (uint32_t id = 1; id <= servers; ++id) membership.members.push_back({ServerId(id), ""});
  return membership;
}

class MembershipLogTest : public testing::Test {
 protected:
  MembershipLogTest() : log_(LogIndex(0), Of(1)) {
    log_.Append(LogIndex(4), Of(2));
    log_.Append(LogIndex(9), Of(3));
  }

  MembershipLog log_;
};

TEST_F(MembershipLogTest, NewestAtOrBelowAnIndexHoldsThere) {
  EXPECT_EQ(log_.At(LogIndex(3)), Of(1));
  EXPECT_EQ(log_.At(LogIndex(4)), Of(2));
  EXPECT_EQ(log_.At(LogIndex(8)), Of(2));
  EXPECT_EQ(log_.At(LogIndex(99)), Of(3));
  EXPECT_EQ(log_.newest(), Of(3));
  EXPECT_EQ(log_.voters().members().size(), 3u);
}

TEST_F(MembershipLogTest, VoteSinceAnIndexIsAnyOfWhatHeldFromThereOn) {
  log_.Append(LogIndex(12), Of(1));
  EXPECT_TRUE(log_.IsVoterSince(LogIndex(12), ServerId(1)));
  EXPECT_FALSE(log_.IsVoterSince(LogIndex(12), ServerId(3)));
  EXPECT_TRUE(log_.IsVoterSince(LogIndex(11), ServerId(3)));
  EXPECT_TRUE(log_.IsVoterSince(LogIndex(0), ServerId(3)));
  EXPECT_FALSE(log_.IsVoterSince(LogIndex(0), ServerId(4)));
}

// R19.
TEST_F(MembershipLogTest, TruncationBringsBackWhatHeldBefore) {
  log_.Truncate(LogIndex(10));
  EXPECT_EQ(log_.newest_index(), LogIndex(9));
  log_.Truncate(LogIndex(5));
  EXPECT_EQ(log_.newest_index(), LogIndex(4));
  EXPECT_EQ(log_.voters().members().size(), 2u);
  log_.Truncate(LogIndex(1));
  EXPECT_EQ(log_.newest(), Of(1));
}

TEST_F(MembershipLogTest, CompactionKeepsWhatHoldsFromThereOn) {
  log_.CompactTo(LogIndex(5));
  EXPECT_EQ(log_.At(LogIndex(5)), Of(2));
  EXPECT_EQ(log_.At(LogIndex(9)), Of(3));
  log_.CompactTo(LogIndex(20));
  EXPECT_EQ(log_.newest_index(), LogIndex(9));
}

TEST_F(MembershipLogTest, TellsAnEntryFromWhatTheLogBeganWith) {
  EXPECT_TRUE(log_.newest_is_entry());
  log_.CompactTo(LogIndex(20));
  EXPECT_TRUE(log_.newest_is_entry());
  EXPECT_FALSE(MembershipLog(LogIndex(7), Of(2)).newest_is_entry());
}

TEST_F(MembershipLogTest, TruncationBringsBackWhatTheLogBeganWith) {
  log_.Truncate(LogIndex(1));
  EXPECT_FALSE(log_.newest_is_entry());
}

}  // namespace
}  // namespace bellwether::coord::raft

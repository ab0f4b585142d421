#include "coord/raft/election.h"

#include "gtest/gtest.h"

namespace bellwether::coord::raft {
namespace {

// A voter of term 5 with 10 entries of it, that knows of no leader.
VoterView View() {
  VoterView view;
  view.term = Term(5);
  view.last_index = LogIndex(10);
  view.last_term = Term(5);
  return view;
}

VoteRequest Request(bool pre_vote, uint64_t campaign_term) {
  return VoteRequest{pre_vote, Term(campaign_term), LogIndex(10), Term(5)};
}

const ServerId kCandidate(2);

TEST(DecideVote, GrantsAnEqualLogOfANewerTerm) {
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 6), View()), VoteDecision::kGrant);
  EXPECT_EQ(DecideVote(kCandidate, Request(true, 6), View()), VoteDecision::kGrant);
}

TEST(DecideVote, RefusesOldTerms) {
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 4), View()), VoteDecision::kRefuse);
  EXPECT_EQ(DecideVote(kCandidate, Request(true, 5), View()), VoteDecision::kRefuse);
}

TEST(DecideVote, KeepsItsPromiseWithinATerm) {
  VoterView view = View();
  view.vote = ServerId(3);
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 5), view), VoteDecision::kRefuse);
  EXPECT_EQ(DecideVote(ServerId(3), Request(false, 5), view), VoteDecision::kGrant);
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 6), view), VoteDecision::kGrant);
}

TEST(DecideVote, GivesNothingWhileAwaitingReadmission) {
  VoterView view = View();
  view.standing = Standing::kAwaitingReadmission;
  view.last_index = LogIndex(0);
  view.last_term = Term(0);
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 6), view), VoteDecision::kRefuse);
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 5), view), VoteDecision::kRefuse);
  EXPECT_EQ(DecideVote(kCandidate, Request(true, 6), view), VoteDecision::kRefuse);
}

TEST(DecideVote, IgnoresVotesAndRefusesPreVotesInsideTheLease) {
  VoterView view = View();
  view.leader = ServerId(3);
  view.in_lease = true;
  EXPECT_EQ(DecideVote(kCandidate, Request(false, 6), view), VoteDecision::kIgnore);
  EXPECT_EQ(DecideVote(kCandidate, Request(true, 6), view), VoteDecision::kRefuse);
  EXPECT_EQ(DecideVote(ServerId(3), Request(true, 6), view), VoteDecision::kGrant);
}

TEST(ElectionTimer, LeaseEndsAfterOneTimeoutAndGrantsDoNotRenewIt) {
  base::Random random(1);
  ElectionTimer timer(10, random);
  EXPECT_FALSE(timer.InLease()) << "a start is no contact with a leader";
  EXPECT_EQ(timer.ticks_since_leader(), ElectionTimer::kNever);
  timer.OnLeaderHeard();
  for (int i = 0; i < 9; ++i) timer.Tick();
  EXPECT_TRUE(timer.InLease());
  timer.Restart();
  timer.Tick();
  EXPECT_FALSE(timer.InLease());
}

TEST(ElectionTimer, ALostLeaderHasNoLeaseAndIsNotWaitedForUntilOneIsHeard) {
  base::Random random(1);
  ElectionTimer timer(10, random);
  timer.OnLeaderHeard();
  timer.Tick();
  timer.OnLeaderLost(3);
  EXPECT_FALSE(timer.InLease());
  EXPECT_EQ(timer.ticks_since_leader(), 1u);
  for (int i = 0; i < 2; ++i) timer.Tick();
  EXPECT_FALSE(timer.Expired());
  timer.Tick();
  EXPECT_TRUE(timer.Expired());

  timer.OnLeaderHeard();
  EXPECT_TRUE(timer.InLease());
  for (int i = 0; i < 9; ++i) timer.Tick();
  EXPECT_FALSE(timer.Expired()) << "a leader that is heard is waited for as long as ever";
}

TEST(VoteTally, CountsEachServersFirstAnswer) {
  const VoterSet voters({{{ServerId(1), ""}, {ServerId(2), ""}, {ServerId(3), ""}}, {}});
  VoteTally tally;
  tally.Record(ServerId(1), true);
  tally.Record(ServerId(1), true);
  EXPECT_EQ(tally.Result(voters), VoteResult::kPending);
  tally.Record(ServerId(2), false);
  tally.Record(ServerId(2), true);
  EXPECT_EQ(tally.Result(voters), VoteResult::kPending);
  tally.Record(ServerId(3), true);
  EXPECT_EQ(tally.Result(voters), VoteResult::kWon);
}

}  // namespace
}  // namespace bellwether::coord::raft

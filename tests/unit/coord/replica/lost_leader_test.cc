// What waits, and what is in doubt, when a leader is lost without having handed over.

#include <string>

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::Contains;

constexpr absl::Duration kElectionTimeout = absl::Milliseconds(150);

// An ensemble of three that has led for a moment.
class LostLeader : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    leader_ = ensemble_.StartAndElect();
    ASSERT_NE(leader_, 0u);
    follower_ = ensemble_.WaitForFollower(leader_);
  }

  // Crashes the leader; returns when the follower knows.
  void CrashLeader() {
    ensemble_.Crash(leader_);
    ensemble_.scheduler.RunFor(absl::Milliseconds(1));
  }
  RecordingStateMachine& state_machine(uint32_t id) { return ensemble_.at(id).state_machine; }

  Ensemble ensemble_{3, GetParam()};
  uint32_t leader_ = 0;
  uint32_t follower_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, LostLeader, ::testing::Range<uint64_t>(1, 6));

TEST_P(LostLeader, WhatIsAskedWaitsForTheNextOne) {
  CrashLeader();
  const auto proposed = ensemble_.Propose(follower_, "a");
  const auto read = ensemble_.Read(follower_, "touch");
  ASSERT_TRUE(ensemble_.Until([&] { return proposed->has_value() && read->has_value(); }));
  EXPECT_TRUE((*proposed)->ok()) << **proposed;
  EXPECT_TRUE((*read)->ok()) << (*read)->status();
  EXPECT_TRUE(ensemble_.Until([&] { return ensemble_.AllApplied({"a"}); }));
}

TEST_P(LostLeader, WithoutANextOneItIsRejectedInTheEnd) {
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != follower_) ensemble_.Crash(id);
  }
  ensemble_.scheduler.RunFor(absl::Milliseconds(1));
  const auto proposed = ensemble_.Propose(follower_, "a");
  const auto read = ensemble_.Read(follower_);
  ensemble_.scheduler.RunFor(kElectionTimeout);
  EXPECT_FALSE(proposed->has_value() || read->has_value());
  ensemble_.scheduler.RunFor(kElectionTimeout + absl::Milliseconds(20));
  ASSERT_TRUE(proposed->has_value() && read->has_value());
  EXPECT_TRUE(absl::IsUnavailable(**proposed));
  EXPECT_EQ(base::OutcomeOf(**proposed), base::Outcome::kRejected);
  EXPECT_TRUE(absl::IsUnavailable((*read)->status()));
}

// What a server tells of itself at any time, follower or leader.
TEST_P(LostLeader, ContactCountsForTwoElectionTimeouts) {
  ensemble_.scheduler.RunFor(4 * kElectionTimeout);
  const auto left = [this](uint32_t id) {
    return ensemble_.at(id).replica.contact_until() - ensemble_.at(id).clock.Monotonic();
  };
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_GT(left(id), kElectionTimeout) << id;
    EXPECT_LE(left(id), 2 * kElectionTimeout) << id;
  }
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != follower_) ensemble_.Crash(id);
  }
  ensemble_.scheduler.RunFor(2 * kElectionTimeout + absl::Milliseconds(10));
  EXPECT_LT(left(follower_), absl::ZeroDuration());
}

TEST_P(LostLeader, AReadUnderWayIsAskedAgainWithItsNote) {
  ensemble_.at(leader_).executor.Pause();
  const auto read = ensemble_.Read(follower_, "touch");
  ensemble_.scheduler.RunFor(absl::Milliseconds(2));
  CrashLeader();
  EXPECT_FALSE(read->has_value());
  ASSERT_TRUE(ensemble_.Until([&] { return read->has_value(); }));
  EXPECT_TRUE((*read)->ok()) << (*read)->status();
  const uint32_t next = ensemble_.WaitForLeader();
  ASSERT_NE(next, 0u);
  EXPECT_THAT(state_machine(next).notes, Contains(std::pair(ServerId(follower_), "touch")));
}

TEST_P(LostLeader, WhatTheNextOneHasIsNotInDoubt) {
  const auto proposed = ensemble_.Propose(follower_, "a");
  ASSERT_TRUE(ensemble_.Until([&] { return proposed->has_value(); }));
  ensemble_.scheduler.RunFor(absl::Milliseconds(5));  // the others have it, too
  CrashLeader();
  const uint32_t next = ensemble_.WaitForLeader();
  ASSERT_NE(next, 0u);
  ASSERT_TRUE(ensemble_.ProposeAndWait(next, "b").ok());
  ASSERT_TRUE(ensemble_.Until([&] { return ensemble_.AllApplied({"a", "b"}); }));
  EXPECT_EQ(state_machine(follower_).times_in_doubt, 0);
}

// What the leader says is lost, so the others elect another one, whom it hears.
TEST(LostLeaders, WhatOneAloneHadIsInDoubtOnceALaterTermIsCommitted) {
  int waited_for_commit = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t leader = ensemble.StartAndElect();
    ASSERT_NE(leader, 0u);
    for (uint32_t id = 1; id <= 3; ++id) {
      if (id != leader) ensemble.network.CutOneWay(ServerId(leader), ServerId(id));
    }
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "lost").ok());
    Leadership known;
    ASSERT_TRUE(ensemble.Until([&] {
      known = ensemble.at(leader).replica.status().leadership;
      return known.leader != ServerId() && known.leader != ServerId(leader);
    }));
    // Else the election took so long that nobody led.
    if (ensemble.at(leader).state_machine.times_in_doubt == 0) ++waited_for_commit;
    ensemble.network.HealAll();
    ASSERT_TRUE(ensemble.ProposeAndWait(known.leader.value(), "b").ok());
    ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"b"}); }));
    EXPECT_EQ(ensemble.at(leader).state_machine.times_in_doubt, 1);
  }
  EXPECT_GE(waited_for_commit, 4);
}

TEST_P(LostLeader, WhatIsAppendedIsInDoubtWhenNobodyLeadsForLong) {
  ensemble_.network.Isolate(ServerId(leader_), SimNetwork::Cut::kSilent);
  ASSERT_TRUE(ensemble_.ProposeAndWait(leader_, "lost").ok());
  ensemble_.scheduler.RunFor(4 * kElectionTimeout);
  EXPECT_EQ(state_machine(leader_).times_in_doubt, 1);
  ensemble_.network.HealAll();
}

TEST_P(LostLeader, WhatItWasForwardedIsUnknownUnderTheNextOne) {
  ensemble_.network.Isolate(ServerId(leader_), SimNetwork::Cut::kSilent);
  const auto proposed = ensemble_.Propose(follower_, "a");
  ASSERT_TRUE(ensemble_.Until([&] { return proposed->has_value(); }));
  EXPECT_EQ(base::OutcomeOf(**proposed), base::Outcome::kUnknown);
  EXPECT_EQ(ensemble_.CounterOf(follower_, "bell_raft_forward_streams_broken_total"), 1u);
  ensemble_.network.HealAll();
}

// A follower that does not hear its leader for long, and is told everything in the end. The others hear it.
class LateLeader : public LostLeader {
 protected:
  void HoldBackLeader() {
    ensemble_.network.HoldBackOneWay(ServerId(leader_), ServerId(follower_));
  }
  void ReleaseLeader() { ensemble_.network.ReleaseOneWay(ServerId(leader_), ServerId(follower_)); }
  bool FollowerLosesSight() {
    return ensemble_.Until([this] { return Known().leader == ServerId(); });
  }
  // By the follower.
  Leadership Known() { return ensemble_.at(follower_).replica.status().leadership; }
  uint64_t StreamsBroken() {
    return ensemble_.CounterOf(follower_, "bell_raft_forward_streams_broken_total");
  }
  uint64_t LeaderChanges() {
    return ensemble_.CounterOf(follower_, "bell_raft_leader_changes_total");
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, LateLeader, ::testing::Range<uint64_t>(1, 6));

TEST_P(LateLeader, StillAnswersWhatItWasForwarded) {
  const Term term = Known().term;
  const uint64_t changes = LeaderChanges();
  HoldBackLeader();
  const auto forwarded = ensemble_.Propose(follower_, "a");
  const auto asked = ensemble_.Read(follower_, "touch");
  ASSERT_TRUE(FollowerLosesSight());
  EXPECT_FALSE(forwarded->has_value() || asked->has_value());
  const auto held = ensemble_.Propose(follower_, "b");
  const auto read = ensemble_.Read(follower_);
  ensemble_.scheduler.RunFor(kElectionTimeout / 2);
  EXPECT_FALSE(held->has_value() || read->has_value());
  ReleaseLeader();
  ASSERT_TRUE(ensemble_.Until([&] {
    return forwarded->has_value() && asked->has_value() && held->has_value() && read->has_value();
  }));
  EXPECT_TRUE((*forwarded)->ok()) << **forwarded;
  EXPECT_TRUE((*asked)->ok()) << (*asked)->status();
  EXPECT_TRUE((*held)->ok()) << **held;
  EXPECT_TRUE((*read)->ok()) << (*read)->status();
  EXPECT_TRUE(ensemble_.Until([&] { return ensemble_.AllApplied({"a", "b"}); }));
  EXPECT_EQ(Known(), (Leadership{term, ServerId(leader_), Role::kFollower}));
  EXPECT_EQ(StreamsBroken(), 0u);
  EXPECT_EQ(LeaderChanges(), changes) << "the same leader was counted twice";
  EXPECT_EQ(state_machine(follower_).times_in_doubt, 0);
}

TEST_P(LateLeader, IsAwaitedNoLongerThanALostOne) {
  HoldBackLeader();
  const auto forwarded = ensemble_.Propose(follower_, "a");
  ASSERT_TRUE(FollowerLosesSight());
  ensemble_.scheduler.RunFor(kElectionTimeout);
  EXPECT_FALSE(forwarded->has_value());
  ensemble_.scheduler.RunFor(kElectionTimeout + absl::Milliseconds(20));
  ASSERT_TRUE(forwarded->has_value());
  EXPECT_EQ(base::OutcomeOf(**forwarded), base::Outcome::kUnknown);
  EXPECT_EQ(StreamsBroken(), 1u);
  ReleaseLeader();
  ASSERT_TRUE(ensemble_.Until([&] { return Known().leader == ServerId(leader_); }));
  EXPECT_TRUE(ensemble_.ProposeAndWait(follower_, "b").ok());
  EXPECT_TRUE(ensemble_.Until([&] { return ensemble_.AllApplied({"a", "b"}); }));
}

}  // namespace
}  // namespace bellwether::coord

// Leaders that give up leadership: asked to, or because their disk hangs.

#include <algorithm>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

// Set when it has ended.
std::shared_ptr<bool> BeginHandOver(Ensemble& ensemble, uint32_t id) {
  auto done = std::make_shared<bool>(false);
  ensemble.at(id).replica.HandOver([done] { *done = true; });
  return done;
}

// How long it took; infinitely long when it did not end.
absl::Duration HandOver(Ensemble& ensemble, uint32_t id) {
  const absl::Duration begin = ensemble.scheduler.now();
  const auto done = BeginHandOver(ensemble, id);
  if (!ensemble.Until([&done] { return *done; })) return absl::InfiniteDuration();
  return ensemble.scheduler.now() - begin;
}

TEST(HandOver, LetsAnotherServerLeadAtOnce) {
  Ensemble ensemble(3, 1);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  const absl::Duration led_since = ensemble.at(leader).replica.status().leadership_since;
  EXPECT_LT(HandOver(ensemble, leader), absl::Milliseconds(30)) << "no timeout was waited for";
  const ReplicaStatus status = ensemble.at(leader).replica.status();
  EXPECT_GT(status.leadership_since, led_since);
  EXPECT_NE(status.leadership.role, Role::kLeader);
  EXPECT_NE(status.leadership.leader, ServerId());
  // It goes on serving: what it is asked now is forwarded.
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a", "b"}); }));
}

// As when a server that hands over already is told to stop: it must not be gone before the election.
TEST(HandOver, WhoAsksMeanwhileWaitsForTheOutcome) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t leader = ensemble.StartAndElect();
    ASSERT_NE(leader, 0u);
    const auto leader_known = [&] {
      const Leadership now = ensemble.at(leader).replica.status().leadership;
      return now.role != Role::kLeader && now.leader != ServerId();
    };
    int done = 0;
    for (int call = 0; call < 5; ++call) {
      ensemble.at(leader).replica.HandOver([&] {
        ++done;
        EXPECT_TRUE(leader_known());
      });
      ensemble.scheduler.RunFor(absl::Microseconds(300));
    }
    ASSERT_TRUE(ensemble.Until([&] { return done == 5; }));
    EXPECT_EQ(ensemble.CounterOf(leader, "bell_raft_handovers_total"), 1u);
  }
}

TEST(HandOver, NoProposalIsRefusedOrLost) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t leader = ensemble.StartAndElect();
    ASSERT_NE(leader, 0u);
    std::shared_ptr<bool> done;
    std::vector<Ensemble::ProposeResult> results;
    for (int i = 0; i < 100; ++i) {
      for (uint32_t id = 1; id <= 3; ++id) {
        results.push_back(ensemble.Propose(id, fmt::format("{}-{}", id, i)));
      }
      if (i == 30) done = BeginHandOver(ensemble, leader);
      ensemble.scheduler.RunFor(absl::Microseconds(200));
    }
    ASSERT_TRUE(ensemble.Until([&] {
      return *done && std::all_of(results.begin(), results.end(),
                                  [](const auto& result) { return result->has_value(); });
    }));
    for (const auto& result : results) EXPECT_TRUE((*result)->ok()) << **result;
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_EQ(ensemble.at(id).state_machine.times_in_doubt, 0) << id;
    }
    EXPECT_NE(ensemble.Leader(), leader);
    EXPECT_TRUE(ensemble.Until(
        [&] { return ensemble.at(leader).state_machine.commands.size() == results.size(); }));
  }
}

TEST(HandOver, NoReadIsRefused) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t leader = ensemble.StartAndElect();
    ASSERT_NE(leader, 0u);
    bool done = false;
    ensemble.at(leader).replica.HandOver([&] { done = true; });
    std::vector<Ensemble::ReadResult> results;
    for (int i = 0; i < 200; ++i) {
      for (uint32_t id = 1; id <= 3; ++id) results.push_back(ensemble.Read(id));
      ensemble.scheduler.RunFor(absl::Microseconds(100));
    }
    ASSERT_TRUE(ensemble.Until([&] {
      return done && std::all_of(results.begin(), results.end(),
                                 [](const auto& result) { return result->has_value(); });
    }));
    for (const auto& result : results) EXPECT_TRUE((*result)->ok()) << (*result)->status();
    EXPECT_NE(ensemble.Leader(), leader);
  }
}

TEST(HandOver, AReadThatALeaderNoMoreDoesNotAnswerEndsInTime) {
  Ensemble ensemble(3, 7);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.network.SetLink(ServerId(follower), ServerId(1 + 2 + 3 - leader - follower),
                           SimNetwork::Cut::kSilent);
  ensemble.at(leader).replica.Stop();
  const auto read = ensemble.Read(follower);
  // Two election timeouts at most until it misses its leader, two more without one.
  const absl::Duration limit = 5 * ensemble.options(follower).election_timeout;
  ASSERT_TRUE(ensemble.Until([&] { return read->has_value(); }, limit));
  EXPECT_TRUE(absl::IsUnavailable((*read)->status())) << (*read)->status();
}

TEST(HandOver, ServersHoldOnlyWhenAllTheyForwardedIsAnswered) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    const uint32_t leader = ensemble.StartAndElect();
    ASSERT_NE(leader, 0u);
    std::map<ServerId, int> unanswered;
    int holds = 0;
    ensemble.network.on_send = [&](ServerId from, ServerId to, const PeerMessage& message) {
      if (std::holds_alternative<Forward>(message)) ++unanswered[from];
      if (std::holds_alternative<ForwardReply>(message)) --unanswered[to];
      if (!std::holds_alternative<HoldForwards>(message) || from == ServerId(leader)) return;
      ++holds;
      EXPECT_EQ(unanswered[from], 0);
    };
    const auto done = BeginHandOver(ensemble, leader);
    for (int i = 0; i < 20 && holds == 0; ++i) {
      for (uint32_t id = 1; id <= 3; ++id) {
        if (id != leader) ensemble.Propose(id, "a");
      }
      ensemble.scheduler.RunFor(absl::Microseconds(50));
    }
    ASSERT_TRUE(ensemble.Until([&] { return *done; }));
    EXPECT_EQ(holds, 2);
    ensemble.network.on_send = nullptr;
  }
}

TEST(HandOver, DoesNotWaitLongForAServerThatHangs) {
  Ensemble ensemble(3, 5);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.at(follower).executor.Pause();
  const size_t ticks = ensemble.at(leader).state_machine.ticks.size();
  EXPECT_LT(HandOver(ensemble, leader), absl::Milliseconds(60));
  EXPECT_LE(ensemble.at(leader).state_machine.ticks.size(), ticks + 1) << "it ends sessions no more";
  EXPECT_NE(ensemble.at(leader).replica.status().leadership.role, Role::kLeader);
  ensemble.at(follower).executor.Resume();
}

TEST(HandOver, StaysForTheElectionWhenDisksAreSlow) {
  Ensemble ensemble(3, 6);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  for (uint32_t id = 1; id <= 3; ++id) {
    ensemble.disk(id).sync_first = ensemble.disk(id).sync_last = absl::Milliseconds(160);
  }
  const absl::Duration took = HandOver(ensemble, leader);
  EXPECT_GT(took, absl::Milliseconds(150)) << "longer than an election timeout";
  EXPECT_LT(took, absl::Milliseconds(200)) << "all wrote their votes at the same time";
  EXPECT_NE(ensemble.at(leader).replica.status().leadership.leader, ServerId());
}

TEST(HandOver, EndsAfterAnElectionTimeoutWhenNobodyCanTakeOver) {
  Ensemble ensemble(3, 2);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != leader) ensemble.Crash(id);
  }
  EXPECT_LE(HandOver(ensemble, leader), absl::Milliseconds(200));
}

TEST(HandOver, IsNothingForAFollowerAndAServerAlone) {
  Ensemble ensemble(1, 3);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  EXPECT_LE(HandOver(ensemble, 1), absl::Milliseconds(10));
  EXPECT_TRUE(ensemble.ProposeAndWait(1, "a").ok());
}

TEST(HandOver, HappensWhenTheLeadersDiskHangs) {
  Ensemble ensemble(3, 4);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  ensemble.disk(leader).sync_first = ensemble.disk(leader).sync_last = absl::Seconds(20);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(ensemble.Until(
      [&] {
        const uint32_t now = ensemble.Leader();
        return now != 0 && now != leader;
      },
      absl::Seconds(1)));
  EXPECT_EQ(ensemble.CounterOf(leader, "bell_raft_handovers_total"), 1u);
}

TEST(HandOver, IsOfNoUseWhenTheDisksOfAllHang) {
  Ensemble ensemble(3, 4);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a"}); }));
  for (uint32_t id = 1; id <= 3; ++id) {
    ensemble.disk(id).sync_first = ensemble.disk(id).sync_last = absl::Seconds(1);
  }
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a", "b"}); }, absl::Seconds(3)));
  EXPECT_EQ(ensemble.Leader(), leader);
  EXPECT_EQ(ensemble.CounterOf(leader, "bell_raft_handovers_total"), 0u);
}

// What is asked for during one waits for two.
TEST(HandOver, DoesNotHappenForWritesThatTakeLessThanAnElectionTimeoutEach) {
  Ensemble ensemble(3, 4);
  const uint32_t leader = ensemble.StartAndElect();
  ASSERT_NE(leader, 0u);
  ensemble.disk(leader).sync_first = ensemble.disk(leader).sync_last = absl::Milliseconds(140);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, fmt::format("{}", i)).ok()) << i;
    ensemble.scheduler.RunFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(ensemble.Leader(), leader);
  EXPECT_EQ(ensemble.CounterOf(leader, "bell_raft_handovers_total"), 0u);
}

}  // namespace
}  // namespace bellwether::coord

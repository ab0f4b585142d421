// Leaders that give up leadership: asked to, or because their disk hangs.

#include <algorithm>
#include <map>
#include <variant>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

TEST(HandOver, LetsAnotherServerLeadAtOnce) {
  Ensemble ensemble(3, 1);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "a").ok());
  const absl::Duration begin = ensemble.scheduler.now();
  bool done = false;
  ensemble.at(leader).replica.HandOver([&] { done = true; });
  ASSERT_TRUE(ensemble.Until([&] { return done; }));
  EXPECT_LT(ensemble.scheduler.now() - begin, absl::Milliseconds(30)) << "no timeout was waited for";
  const ReplicaStatus status = ensemble.at(leader).replica.status();
  EXPECT_NE(status.leadership.role, Role::kLeader);
  EXPECT_NE(status.leadership.leader, ServerId());
  // It goes on serving: what it is asked now is forwarded.
  EXPECT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"a", "b"}); }));
}

TEST(HandOver, NoProposalIsRefusedOrLost) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    ensemble.StartAll();
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u);
    ASSERT_NE(ensemble.WaitForFollower(leader), 0u);
    ensemble.scheduler.RunFor(absl::Milliseconds(50));
    bool done = false;
    std::vector<Ensemble::ProposeResult> results;
    for (int i = 0; i < 100; ++i) {
      for (uint32_t id = 1; id <= 3; ++id) {
        results.push_back(ensemble.Propose(id, fmt::format("{}-{}", id, i)));
      }
      if (i == 30) ensemble.at(leader).replica.HandOver([&] { done = true; });
      ensemble.scheduler.RunFor(absl::Microseconds(200));
    }
    ASSERT_TRUE(ensemble.Until([&] {
      return done && std::all_of(results.begin(), results.end(),
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

TEST(HandOver, ServersHoldOnlyWhenAllTheyForwardedIsAnswered) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Ensemble ensemble(3, seed);
    ensemble.StartAll();
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u);
    ASSERT_NE(ensemble.WaitForFollower(leader), 0u);
    ensemble.scheduler.RunFor(absl::Milliseconds(50));
    std::map<ServerId, int> unanswered;
    int holds = 0;
    ensemble.network.on_send = [&](ServerId from, ServerId to, const PeerMessage& message) {
      if (std::holds_alternative<Forward>(message)) ++unanswered[from];
      if (std::holds_alternative<ForwardReply>(message)) --unanswered[to];
      if (!std::holds_alternative<HoldForwards>(message) || from == ServerId(leader)) return;
      ++holds;
      EXPECT_EQ(unanswered[from], 0);
    };
    bool done = false;
    ensemble.at(leader).replica.HandOver([&] { done = true; });
    for (int i = 0; i < 20 && holds == 0; ++i) {
      for (uint32_t id = 1; id <= 3; ++id) {
        if (id != leader) ensemble.Propose(id, "a");
      }
      ensemble.scheduler.RunFor(absl::Microseconds(50));
    }
    ASSERT_TRUE(ensemble.Until([&] { return done; }));
    EXPECT_EQ(holds, 2);
    ensemble.network.on_send = nullptr;
  }
}

TEST(HandOver, DoesNotWaitLongForAServerThatHangs) {
  Ensemble ensemble(3, 5);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  const uint32_t follower = ensemble.WaitForFollower(leader);
  ensemble.scheduler.RunFor(absl::Milliseconds(50));
  ensemble.at(follower).executor.Pause();
  const absl::Duration begin = ensemble.scheduler.now();
  const size_t ticks = ensemble.at(leader).state_machine.ticks.size();
  bool done = false;
  ensemble.at(leader).replica.HandOver([&] { done = true; });
  ASSERT_TRUE(ensemble.Until([&] { return done; }));
  EXPECT_LT(ensemble.scheduler.now() - begin, absl::Milliseconds(60));
  EXPECT_LE(ensemble.at(leader).state_machine.ticks.size(), ticks + 1) << "it ends sessions no more";
  EXPECT_NE(ensemble.at(leader).replica.status().leadership.role, Role::kLeader);
  ensemble.at(follower).executor.Resume();
}

TEST(HandOver, StaysForTheElectionWhenDisksAreSlow) {
  Ensemble ensemble(3, 6);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  ASSERT_NE(ensemble.WaitForFollower(leader), 0u);
  ensemble.scheduler.RunFor(absl::Milliseconds(50));
  for (uint32_t id = 1; id <= 3; ++id) {
    ensemble.disk(id).sync_first = ensemble.disk(id).sync_last = absl::Milliseconds(160);
  }
  const absl::Duration begin = ensemble.scheduler.now();
  bool done = false;
  ensemble.at(leader).replica.HandOver([&] { done = true; });
  ASSERT_TRUE(ensemble.Until([&] { return done; }));
  const absl::Duration took = ensemble.scheduler.now() - begin;
  EXPECT_GT(took, absl::Milliseconds(150)) << "longer than an election timeout";
  EXPECT_LT(took, absl::Milliseconds(200)) << "all wrote their votes at the same time";
  EXPECT_NE(ensemble.at(leader).replica.status().leadership.leader, ServerId());
}

TEST(HandOver, EndsAfterAnElectionTimeoutWhenNobodyCanTakeOver) {
  Ensemble ensemble(3, 2);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != leader) ensemble.Crash(id);
  }
  const absl::Duration begin = ensemble.scheduler.now();
  bool done = false;
  ensemble.at(leader).replica.HandOver([&] { done = true; });
  ASSERT_TRUE(ensemble.Until([&] { return done; }));
  EXPECT_LE(ensemble.scheduler.now() - begin, absl::Milliseconds(200));
}

TEST(HandOver, IsNothingForAFollowerAndAServerAlone) {
  Ensemble ensemble(1, 3);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  bool done = false;
  ensemble.at(1).replica.HandOver([&] { done = true; });
  ASSERT_TRUE(ensemble.Until([&] { return done; }, absl::Milliseconds(10)));
  EXPECT_TRUE(ensemble.ProposeAndWait(1, "a").ok());
}

TEST(HandOver, HappensWhenTheLeadersDiskHangs) {
  Ensemble ensemble(3, 4);
  ensemble.StartAll();
  const uint32_t leader = ensemble.WaitForLeader();
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

}  // namespace
}  // namespace bellwether::coord

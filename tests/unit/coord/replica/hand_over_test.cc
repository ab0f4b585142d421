// Leaders that give up leadership: asked to, or because their disk hangs.

#include <algorithm>
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
    EXPECT_NE(ensemble.Leader(), leader);
    EXPECT_TRUE(ensemble.Until(
        [&] { return ensemble.at(leader).state_machine.commands.size() == results.size(); }));
  }
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

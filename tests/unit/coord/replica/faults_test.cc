// An ensemble under every fault the simulated disk and network know, from many seeds.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

constexpr uint64_t kSeeds = 20 / BELLWETHER_SEEDS_DIVISOR;

class FaultyRun {
 public:
  explicit FaultyRun(uint64_t seed) : ensemble_(3, seed), random_(seed) {
    ensemble_.network.loss_chance = 0.01;
    ensemble_.network.break_chance = 0.002;
    ensemble_.network.duplicate_chance = 0.02;
    ensemble_.network.reorder_chance = 0.02;
  }

  void Run() {
    ensemble_.StartAll();
    for (int step = 0; step < 60; ++step) {
      Disturb();
      for (int i = 0; i < 5; ++i) ProposeSomewhere();
      ensemble_.scheduler.RunFor(
          ensemble_.scheduler.RandomDuration(absl::ZeroDuration(), absl::Milliseconds(60)));
      Observe();
    }
    Heal();
  }

  // After healing, everybody agrees and has everything that was ever applied anywhere.
  void Check() {
    const uint32_t leader = ensemble_.WaitForLeader();
    ASSERT_NE(leader, 0u);
    ASSERT_TRUE(ensemble_.Until([&] { return ensemble_.ProposeAndWait(leader, "last").ok(); }));
    ASSERT_TRUE(ensemble_.Until([&] {
      const auto& commands = ensemble_.at(leader).state_machine.commands;
      return !commands.empty() && commands.back() == "last" && ensemble_.AllApplied(commands);
    }));
    const std::vector<std::string>& commands = ensemble_.at(leader).state_machine.commands;
    ASSERT_GE(commands.size(), longest_.size());
    for (size_t i = 0; i < longest_.size(); ++i) EXPECT_EQ(commands[i], longest_[i]);
    const std::multiset<std::string> applied(commands.begin(), commands.end());
    for (const std::string& command : applied) {
      EXPECT_EQ(applied.count(command), 1u) << command << " was applied twice";
    }
    for (const auto& [command, result] : results_) {
      if (result->has_value() && !(*result)->ok() &&
          base::OutcomeOf(**result) == base::Outcome::kRejected) {
        EXPECT_FALSE(applied.contains(command)) << command << " was rejected, and applied";
      }
    }
  }

  size_t applied() const { return longest_.size(); }
  const SimNetwork::Counts& counts() const { return ensemble_.network.counts(); }

 private:
  uint32_t AnyServer() { return static_cast<uint32_t>(random_.Between(1, 3)); }

  void ProposeSomewhere() {
    const uint32_t server = AnyServer();
    if (!ensemble_.Running(server)) return;
    std::string command = "c" + std::to_string(results_.size());
    results_[command] = ensemble_.Propose(server, command);
  }

  void Disturb() {
    const uint32_t server = AnyServer();
    switch (random_.Below(8)) {
      case 0:
        if (ensemble_.Running(server)) ensemble_.Crash(server);
        break;
      case 1:
        ensemble_.network.Isolate(ServerId(server), SimNetwork::Cut::kSilent);
        break;
      case 2:
        ensemble_.network.Isolate(ServerId(server), SimNetwork::Cut::kBroken);
        break;
      case 3:
        if (ensemble_.Running(server)) ensemble_.at(server).executor.Pause();
        break;
      case 4:
        ensemble_.network.HealAll();
        break;
      default:
        for (uint32_t id = 1; id <= 3; ++id) {
          if (!ensemble_.Running(id)) ensemble_.Start(id);
          ensemble_.at(id).executor.Resume();
        }
    }
  }

  // What was applied is a prefix of one history, on every server, for ever.
  void Observe() {
    for (uint32_t id = 1; id <= 3; ++id) {
      if (!ensemble_.Running(id)) continue;
      const auto& commands = ensemble_.at(id).state_machine.commands;
      for (size_t i = 0; i < std::min(commands.size(), longest_.size()); ++i) {
        ASSERT_EQ(commands[i], longest_[i]) << "server " << id << " position " << i;
      }
      if (commands.size() > longest_.size()) longest_ = commands;
    }
  }

  void Heal() {
    ensemble_.network.loss_chance = ensemble_.network.break_chance = 0;
    ensemble_.network.duplicate_chance = ensemble_.network.reorder_chance = 0;
    ensemble_.network.HealAll();
    ensemble_.StartAll();
    for (uint32_t id = 1; id <= 3; ++id) ensemble_.at(id).executor.Resume();
    ensemble_.scheduler.RunFor(absl::Seconds(2));
    Observe();
  }

  Ensemble ensemble_;
  base::Random random_;
  std::map<std::string, Ensemble::ProposeResult> results_;
  std::vector<std::string> longest_;
};

TEST(ReplicaUnderFaults, KeepsOneHistoryAndRecovers) {
  size_t applied = 0;
  SimNetwork::Counts counts;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FaultyRun run(seed);
    run.Run();
    run.Check();
    if (::testing::Test::HasFatalFailure()) return;
    applied += run.applied();
    counts.lost += run.counts().lost;
    counts.broken += run.counts().broken;
    counts.duplicated += run.counts().duplicated;
    counts.reordered += run.counts().reordered;
  }
  // A run in which nothing happens proves nothing.
  EXPECT_GT(applied, 20 * kSeeds);
  EXPECT_GE(std::min({counts.lost, counts.broken, counts.duplicated, counts.reordered}), kSeeds);
}

}  // namespace
}  // namespace bellwether::coord

#include <algorithm>
#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/raft_duel.h"
#include "tests/support/raft_random_run.h"

namespace bellwether::coord::raft {
namespace {

TEST(RaftRandom, IsSafeUnderFaultsAndConvergesWhenHealed) {
  int proposed = 0;
  int reads = 0;
  int wiped = 0;
  int readmitted = 0;
  int snapshots = 0;
  int installed = 0;
  int transfers = 0;
  int changes = 0;
  int joint = 0;
  for (uint64_t seed = 1; seed <= 300 / BELLWETHER_SEEDS_DIVISOR; ++seed) {
    SCOPED_TRACE(seed);
    RandomRun run(seed);
    run.Steps(10000);
    proposed += run.proposed();
    reads += run.reads();
    wiped += run.wiped();
    snapshots += run.snapshots();
    installed += run.installed();
    transfers += run.transfers();
    changes += run.changes();
    EXPECT_TRUE(run.HealAndConverge());
    readmitted += run.readmitted();
    joint += run.joint();
    if (HasFailure()) {
      const std::string trace = run.cluster().TakeTrace();
      ADD_FAILURE() << "seed " << seed << "\n"
                    << trace.substr(trace.size() - std::min<size_t>(trace.size(), 50000));
      return;
    }
  }
  RecordProperty("proposed", proposed);
  RecordProperty("reads", reads);
  RecordProperty("wiped", wiped);
  RecordProperty("readmitted", readmitted);
  RecordProperty("snapshots", snapshots);
  RecordProperty("installed", installed);
  RecordProperty("transfers", transfers);
  RecordProperty("changes", changes);
  RecordProperty("joint", joint);
  // A run that did too little proves nothing.
  EXPECT_GT(proposed, 5000 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(reads, 5000 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(wiped, 200 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(readmitted, 50 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(snapshots, 500 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(installed, 50 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(transfers, 200 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(changes, 100 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(joint, 10 / BELLWETHER_SEEDS_DIVISOR);
}

// Changes of several members at once (thesis section 4.3), while the ensemble falls apart.
TEST(RaftRandom, IsSafeWhileMembersChange) {
  int changes = 0;
  int joint = 0;
  for (uint64_t seed = 1; seed <= 50 / BELLWETHER_SEEDS_DIVISOR; ++seed) {
    SCOPED_TRACE(seed);
    RandomRun run(seed, RandomRun::Kind::kMemberChanges);
    run.Steps(10000);
    changes += run.changes();
    ASSERT_TRUE(run.HealAndConverge());
    joint += run.joint();
  }
  EXPECT_GT(changes, 100 / BELLWETHER_SEEDS_DIVISOR);
  EXPECT_GT(joint, 10 / BELLWETHER_SEEDS_DIVISOR);
}

// R5.
TEST(RaftDuel, LeadersThatFightOverMembersAreSafe) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_TRUE(FightOverMembers(seed));
  }
}

}  // namespace
}  // namespace bellwether::coord::raft

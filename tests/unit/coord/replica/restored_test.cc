// Folders into which a state was restored: when they form an ensemble, and when they must not.

#include <string>
#include <vector>

#include "coord/replica/formation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const base::Uuid kRestoreId(7, 8);

// What `bell-coord restore` leaves: a state of one entry, a log that begins behind it, and the id.
void Restore(Ensemble& ensemble, uint32_t id, std::string command = "restored",
             base::Uuid restore_id = kRestoreId) {
  auto store = FileSnapshotStore::Open({}, ensemble.snapshots_folder(id));
  ASSERT_TRUE(store.ok());
  raft::SnapshotMeta meta;
  meta.index = LogIndex(1);
  meta.term = Term(1);
  for (const PeerAddress& server : ensemble.options(id).servers) {
    meta.membership.members.push_back({server.id, server.address});
  }
  auto writer = (*store)->Create(meta);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Append(command).ok());
  ASSERT_TRUE((*writer)->Commit().ok());

  SimExecutor executor(ensemble.scheduler);
  SimLogStore log(ensemble.scheduler, ensemble.disk(id), executor);
  PersistRequest request;
  request.reset_to = meta.index;
  request.formation = Formation::EncodeRestored(restore_id);
  bool durable = false;
  log.Persist(std::move(request), [&durable](absl::Status status) { durable = status.ok(); });
  ASSERT_TRUE(ensemble.Until([&durable] { return durable; }));
}

std::string FatalOf(Ensemble& ensemble, uint32_t id) {
  const std::optional<absl::Status>& fatal = ensemble.at(id).fatal;
  return fatal.has_value() ? std::string(fatal->message()) : "";
}

TEST(Restored, OfOneBeginsWithTheState) {
  Ensemble ensemble(1, 1);
  Restore(ensemble, 1);
  ensemble.StartAll();
  ASSERT_EQ(ensemble.WaitForLeader(), 1u);
  ASSERT_TRUE(ensemble.ProposeAndWait(1, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"restored", "b"}); }));
}

TEST(Restored, OfThreeFormOneEnsembleAndOutliveCrashesMeanwhile) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Ensemble ensemble(3, seed);
    for (uint32_t id = 1; id <= 3; ++id) Restore(ensemble, id);
    ensemble.StartAll();
    for (int crash = 0; crash < 3; ++crash) {
      ensemble.scheduler.RunFor(ensemble.scheduler.RandomDuration(absl::ZeroDuration(),
                                                                  absl::Milliseconds(20)));
      const uint32_t victim = 1 + static_cast<uint32_t>(ensemble.scheduler.random().Next() % 3);
      ensemble.Crash(victim);
      ensemble.Start(victim);
    }
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u) << "seed " << seed;
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
    ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"restored", "b"}); }));
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_THAT(ensemble.at(id).state_machine.restored, ElementsAre(LogIndex(1)));
      EXPECT_EQ(ensemble.disk(id).durable_hard_state()->standing, raft::Standing::kVoter);
    }
  }
}

// It meets members, which it heard when they were none.
TEST(Restored, ServerThatFormsLastIsNotRefused) {
  int last = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Ensemble ensemble(3, seed);
    for (uint32_t id = 1; id <= 3; ++id) Restore(ensemble, id);
    ensemble.StartAll();
    const auto formed = [&ensemble](uint32_t id) {
      return ensemble.disk(id).durable_hard_state().has_value();
    };
    ASSERT_TRUE(ensemble.Until([&] { return formed(1) || formed(2) || formed(3); }));
    const uint32_t victim = formed(1) ? 2 : 1;
    ensemble.Crash(victim);
    if (!formed(victim)) ++last;
    ensemble.scheduler.RunFor(absl::Seconds(1));
    ensemble.Start(victim);
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u) << "seed " << seed;
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
    ASSERT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"restored", "b"}); }));
  }
  EXPECT_GT(last, 0);
}

TEST(Restored, FromDifferentSnapshotsNeverVote) {
  Ensemble ensemble(3, 2);
  Restore(ensemble, 1);
  Restore(ensemble, 2);
  Restore(ensemble, 3, "another", base::Uuid(7, 9));
  ensemble.StartAll();
  ensemble.scheduler.RunFor(absl::Seconds(10));
  EXPECT_EQ(ensemble.Leader(), 0u);
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_FALSE(ensemble.disk(id).durable_hard_state().has_value()) << id;
  }
  EXPECT_EQ(FatalOf(ensemble, 1), "");
  EXPECT_EQ(FatalOf(ensemble, 2), "");
  EXPECT_THAT(FatalOf(ensemble, 3), HasSubstr("restored from different snapshots"));
}

TEST(Restored, ServerThatWasForgottenIsTold) {
  Ensemble ensemble(3, 3);
  Restore(ensemble, 1);
  Restore(ensemble, 2);
  ensemble.StartAll();
  ensemble.scheduler.RunFor(absl::Seconds(10));
  EXPECT_EQ(ensemble.Leader(), 0u);
  EXPECT_THAT(FatalOf(ensemble, 3), HasSubstr("run `bell-coord restore` with the same file"));
  ensemble.CrashAndWipe(3);
  Restore(ensemble, 3);
  ensemble.Start(3);
  EXPECT_NE(ensemble.WaitForLeader(), 0u);
}

TEST(Restored, OneAmongEmptyOnesDoesNotVote) {
  Ensemble ensemble(3, 4);
  Restore(ensemble, 1);
  ensemble.StartAll();
  ensemble.scheduler.RunFor(absl::Seconds(10));
  EXPECT_EQ(ensemble.Leader(), 0u);
  EXPECT_NE(FatalOf(ensemble, 1), "");
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_FALSE(ensemble.disk(id).durable_hard_state().has_value()) << id;
  }
}

// It would have forgotten what it promised; with an empty folder it is readmitted.
TEST(Restored, AgainIntoAnEnsembleThatLivesIsRefused) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Ensemble ensemble(3, seed);
    for (uint32_t id = 1; id <= 3; ++id) Restore(ensemble, id);
    ensemble.StartAll();
    const uint32_t leader = ensemble.WaitForLeader();
    ASSERT_NE(leader, 0u);
    ASSERT_TRUE(ensemble.ProposeAndWait(leader, "precious").ok());
    const uint32_t lost = ensemble.WaitForFollower(leader);
    ensemble.CrashAndWipe(lost);
    Restore(ensemble, lost);
    ensemble.Start(lost);
    ensemble.scheduler.RunFor(absl::Seconds(10));
    EXPECT_THAT(FatalOf(ensemble, lost), HasSubstr("has a part in an ensemble already"));
    EXPECT_FALSE(ensemble.disk(lost).durable_hard_state().has_value());
    ensemble.CrashAndWipe(lost);
    ensemble.Start(lost);
    EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"restored", "precious"}); }));
  }
}

TEST(Restored, EnsembleChangesItsMembersLikeAnyOther) {
  Ensemble ensemble(3, 7);
  for (uint32_t id = 1; id <= 3; ++id) Restore(ensemble, id);
  ensemble.StartAll();
  ASSERT_NE(ensemble.WaitForLeader(), 0u);
  ensemble.AddMachine(4);
  const absl::Status joined = ensemble.Join(4);
  ASSERT_TRUE(joined.ok()) << joined;
  const auto removed = ensemble.Change({MembershipChange::Kind::kRemove, ServerId(1), ""});
  ASSERT_TRUE(removed.ok()) << removed.status();
  ensemble.Crash(1);
  for (uint32_t id = 2; id <= 4; ++id) ensemble.Crash(id);
  for (uint32_t id = 2; id <= 4; ++id) ensemble.Start(id);
  const uint32_t leader = ensemble.WaitForLeader();
  ASSERT_NE(leader, 0u);
  ASSERT_TRUE(ensemble.ProposeAndWait(leader, "b").ok());
  EXPECT_TRUE(ensemble.Until([&] { return ensemble.AllApplied({"restored", "b"}); }));
}

TEST(Restored, ForOtherServersDoesNotStart) {
  Ensemble ensemble(3, 5);
  const std::vector<PeerAddress> all = ensemble.options(1).servers;
  ensemble.options(1).servers = {all[0]};
  Restore(ensemble, 1);
  ensemble.options(1).servers = all;
  ensemble.Start(1);
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  EXPECT_THAT(FatalOf(ensemble, 1), HasSubstr("restored for other servers"));
}

TEST(Restored, ForFewerServersThanItsPeersDoesNotVote) {
  Ensemble ensemble(3, 5);
  ensemble.options(1).servers.pop_back();
  for (uint32_t id = 1; id <= 3; ++id) Restore(ensemble, id);
  ensemble.StartAll();
  ensemble.scheduler.RunFor(absl::Seconds(10));
  EXPECT_THAT(FatalOf(ensemble, 1), HasSubstr("ensemble list disagrees"));
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_FALSE(ensemble.disk(id).durable_hard_state().has_value()) << id;
  }
}

TEST(Restored, WithoutItsSnapshotDoesNotStart) {
  Ensemble ensemble(1, 6);
  Restore(ensemble, 1);
  ensemble.snapshots_folder(1).Wipe();
  ensemble.Start(1);
  ensemble.scheduler.RunFor(absl::Milliseconds(100));
  EXPECT_THAT(FatalOf(ensemble, 1), HasSubstr("is gone"));
}

}  // namespace
}  // namespace bellwether::coord

#include "coord/service/feature_levels.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ReplicaStatus::Peer ServerAt(uint32_t id, std::optional<FeatureLevelRange> levels,
                           bool connected = true) {
  ReplicaStatus::Peer server;
  server.address = {ServerId(id), "host:1"};
  server.connected = connected;
  server.feature_levels = levels;
  return server;
}

ReplicaStatus EnsembleWith(std::vector<ReplicaStatus::Peer> servers) {
  ReplicaStatus status;
  status.servers = std::move(servers);
  return status;
}

constexpr FeatureLevelRange kOld{1, 1};
constexpr FeatureLevelRange kNew{1, 2};

TEST(UpgradeReport, NothingToFinalizeWhereAllSupportThePresentLevelOnly) {
  const UpgradeReport report =
      MakeUpgradeReport(1, EnsembleWith({ServerAt(1, kOld), ServerAt(2, kOld)}));
  EXPECT_EQ(report.target, 1u);
  EXPECT_THAT(report.obstacles, IsEmpty());
}

TEST(UpgradeReport, AServerOfTheOldReleaseIsAnObstacle) {
  const UpgradeReport report =
      MakeUpgradeReport(1, EnsembleWith({ServerAt(1, kNew), ServerAt(2, kOld)}));
  EXPECT_EQ(report.target, 2u);
  EXPECT_THAT(report.obstacles, ElementsAre(HasSubstr("server 2 supports levels up to 1")));
}

TEST(UpgradeReport, AServerThatIsAwayIsAnObstacleWhateverItSaidLast) {
  const UpgradeReport report = MakeUpgradeReport(
      1, EnsembleWith({ServerAt(1, kNew), ServerAt(2, kNew, false),
                       ServerAt(3, std::nullopt, false)}));
  EXPECT_EQ(report.target, 2u);
  EXPECT_THAT(report.obstacles, ElementsAre(HasSubstr("server 2 is not connected"),
                                            HasSubstr("server 3 is not connected")));
}

TEST(FirstFeatureLevel, IsWhatAllServersSupport) {
  EXPECT_EQ(FirstFeatureLevel({2, 4}, EnsembleWith({ServerAt(1, {{2, 4}}), ServerAt(2, {{1, 3}})})),
            3u);
  EXPECT_EQ(FirstFeatureLevel({2, 4}, EnsembleWith({ServerAt(1, {{2, 4}}), ServerAt(2, {})})), 2u);
  EXPECT_EQ(FirstFeatureLevel(kOld, EnsembleWith({ServerAt(1, kOld)})), 1u);
}

// A server that supports levels 1 to 2, and knows one operation, deletion, that needs level 2.
class FeatureLevelTest : public ServiceTest {
 protected:
  static ServiceOptions NewRelease() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = kNew;
    options.feature_level_of = [](const RequestOperation& operation) -> uint32_t {
      return std::holds_alternative<tree::Delete>(operation) ? 2 : FeatureLevelOf(operation);
    };
    return options;
  }
  // One server of the old release besides, so that the ensemble forms at level 1.
  explicit FeatureLevelTest(ServiceOptions options = NewRelease()) : ServiceTest(options) {
    log_.SetServers({ServerAt(1, kNew), ServerAt(2, kOld)});
  }

  absl::StatusOr<UpgradeReport> Finalize() {
    std::optional<absl::StatusOr<UpgradeReport>> answer;
    service_->FinalizeUpgrade(
        [&answer](absl::StatusOr<UpgradeReport> report) { answer = std::move(report); });
    scheduler_.RunFor(options_.finalize_wait_max + absl::Seconds(1));
    return answer.value_or(absl::InternalError("no answer"));
  }
  std::string RaiseBy(uint32_t level) {
    tree::Command command;
    command.operation = tree::SetFeatureLevel{level};
    return SealCommand({99, 1}, command);
  }
};

TEST_F(FeatureLevelTest, NothingAboveTheLevelIsProposed) {
  auto client = Connect();
  const uint64_t create = client->Create("/a");
  Settle();
  const Zxid before = service_->Status().zxid;
  const uint64_t refused = client->Ask(tree::Delete{"/a"});
  Settle();
  EXPECT_EQ(client->ReasonOf(create), "ok");
  EXPECT_EQ(client->ReasonOf(refused), "feature_level");
  EXPECT_EQ(service_->Status().zxid, before);

  --client->last_sequence;  // free again, as of every write that was refused
  log_.SetServers({ServerAt(1, kNew), ServerAt(2, kNew)});
  ASSERT_TRUE(Finalize().ok());
  const uint64_t allowed = client->Ask(tree::Delete{"/a"});
  Settle();
  EXPECT_EQ(client->ReasonOf(allowed), "ok");
}

TEST_F(FeatureLevelTest, FinalizingIsRefusedWhileAServerCannotFollow) {
  const auto refused = Finalize();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("server 2 supports"));
  EXPECT_EQ(service_->Status().feature_level, 1u);
}

TEST_F(FeatureLevelTest, FinalizingTwiceRaisesItOnce) {
  log_.SetServers({ServerAt(1, kNew), ServerAt(2, kNew)});
  const auto first = Finalize();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->level, 2u);
  const Zxid zxid = service_->Status().zxid;
  EXPECT_EQ(Finalize()->level, 2u);
  EXPECT_EQ(service_->Status().zxid, zxid);
}

TEST_F(FeatureLevelTest, WhatIsNotSeenCommittedIsUnknown) {
  log_.SetServers({ServerAt(1, kNew), ServerAt(2, kNew)});
  log_.Hold();
  const auto unknown = Finalize();
  EXPECT_EQ(base::OutcomeOf(unknown.status()), base::Outcome::kUnknown);
  log_.Release();
  Settle();
  EXPECT_EQ(service_->Status().feature_level, 2u);
}

TEST_F(FeatureLevelTest, WithoutALeaderNothingIsFinalized) {
  log_.SetServers({ServerAt(1, kNew), ServerAt(2, kNew)});
  log_.SetLeader(false);
  EXPECT_EQ(Finalize().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FeatureLevelTest, AServerStopsAtALevelBeyondIts) {
  const Zxid before = service_->Status().zxid;
  log_.CommitForeign(RaiseBy(3));
  Settle();
  EXPECT_EQ(fatal_.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(fatal_.message()), HasSubstr("supports only 1 to 2"));
  EXPECT_EQ(service_->Status().zxid, before);
}

TEST_F(FeatureLevelTest, AServerFollowsALevelThatAnotherOneFinalized) {
  log_.CommitForeign(RaiseBy(2));
  Settle();
  EXPECT_TRUE(fatal_.ok());
  EXPECT_EQ(service_->Status().feature_level, 2u);
}

TEST_F(FeatureLevelTest, MembersCanBeAskedForFromTheirLevelOn) {
  std::optional<absl::StatusOr<MembershipView>> answer;
  const auto ask = [&] {
    service_->AskMembership({}, [&answer](absl::StatusOr<MembershipView> view) {
      answer = std::move(view);
    });
    Settle();
    return answer.has_value() ? answer->status() : absl::InternalError("no answer");
  };
  EXPECT_TRUE(absl::IsFailedPrecondition(ask()));
  log_.SetServers({ServerAt(1, kNew), ServerAt(2, kNew)});
  ASSERT_TRUE(Finalize().ok());
  EXPECT_TRUE(ask().ok());
}

// Formed by servers that all support levels 2 to 3.
class LaterEnsembleTest : public FeatureLevelTest {
 protected:
  static ServiceOptions Later() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = {2, 3};
    return options;
  }
  LaterEnsembleTest() : FeatureLevelTest(Later()) {
    log_.SetServers({ServerAt(1, {{2, 3}}), ServerAt(2, {{2, 3}})});
  }
};

TEST_F(LaterEnsembleTest, BeginsAtTheHighestLevel) {
  EXPECT_EQ(service_->Status().feature_level, 3u);
  EXPECT_EQ(service_->NotReadyReason(), "");
}

TEST(FeatureLevels, ABuildThatLostAnOldLevelIsNotReadyThere) {
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  FeatureLevels levels({2, 3}, executor);
  EXPECT_THAT(levels.NotReadyReason(), HasSubstr("supports only 2 to 3"));
  levels.OnLevel(2);
  EXPECT_EQ(levels.NotReadyReason(), "");
}

}  // namespace
}  // namespace bellwether::coord

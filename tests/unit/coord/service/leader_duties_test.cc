#include "coord/service/leader_duties.h"

#include <cstddef>
#include <memory>
#include <string>

#include "coord/service/ensemble_config.h"
#include "coord/tree/system_znodes.h"
#include "tests/unit/coord/service/fake_ensemble.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

// The deletion of znodes that expire (Z17), at a service that leads.
class LeaderDutiesTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    client_ = Connect();
  }

  // A container whose last child is gone.
  void MakeExpired(const std::string& path) {
    tree::Create container;
    container.path = path;
    container.mode = tree::CreateMode::kContainer;
    client_->Ask(std::move(container));
    client_->Create(path + "/child");
    client_->Ask(tree::Delete{path + "/child"});
    Settle();
  }
  // A look at what expired, a second after the one before.
  void Look() {
    scheduler_.RunFor(absl::Seconds(1));
    Tick();
  }
  void Tick() {
    service_->OnTick(absl::Milliseconds(10));
    Settle();
  }
  bool Exists(const std::string& path) {
    const uint64_t id = client_->Ask(StatRead{path});
    Settle();
    return client_->ReasonOf(id) == "ok";
  }
  size_t proposed() const { return log_.principals().size(); }

  std::shared_ptr<TestClient> client_;
};

TEST_F(LeaderDutiesTest, DeletesWhatExpired) {
  base::Counter& expired = metrics_.AddCounter("bell_znodes_expired_total", "");
  MakeExpired("/c");
  client_->Create("/kept");
  Look();
  EXPECT_FALSE(Exists("/c"));
  EXPECT_TRUE(Exists("/kept"));
  EXPECT_EQ(expired.value(), 1u);
}

TEST_F(LeaderDutiesTest, LooksOnceASecond) {
  Look();
  MakeExpired("/c");
  Tick();
  EXPECT_TRUE(Exists("/c"));
  Look();
  EXPECT_FALSE(Exists("/c"));
}

TEST_F(LeaderDutiesTest, TheCommandsAreNobodys) {
  MakeExpired("/c");
  Look();
  EXPECT_EQ(log_.principals().back(), "");
}

TEST_F(LeaderDutiesTest, WhoDoesNotLeadProposesNothing) {
  MakeExpired("/c");
  service_->OnLeadership({Term(2), ServerId(2), Role::kFollower});
  const size_t before = proposed();
  Look();
  EXPECT_EQ(proposed(), before);
}

TEST_F(LeaderDutiesTest, ProposesNothingTwiceWhileItIsUnderWay) {
  MakeExpired("/c");
  log_.Hold();
  const size_t before = proposed();
  for (int i = 0; i < 5; ++i) Look();
  EXPECT_EQ(proposed(), before + 1);
  log_.Release();
  Settle();
  EXPECT_FALSE(Exists("/c"));
}

TEST_F(LeaderDutiesTest, GoesOnWhenTheDeletionsWereApplied) {
  MakeExpired("/c");
  Look();
  MakeExpired("/d");
  Tick();
  Look();
  EXPECT_FALSE(Exists("/d"));
}

TEST_F(LeaderDutiesTest, TriesAgainWhatTheLogRefused) {
  MakeExpired("/c");
  log_.RejectNext();
  Look();
  EXPECT_TRUE(Exists("/c"));
  Look();
  EXPECT_FALSE(Exists("/c"));
}

TEST_F(LeaderDutiesTest, ANewTermOwesNothingToTheOneBefore) {
  MakeExpired("/c");
  log_.Hold();
  Look();
  log_.DropUncommitted();
  service_->OnLeadership({Term(2), ServerId(1), Role::kLeader});
  log_.Release();
  Look();
  EXPECT_FALSE(Exists("/c"));
}

// A look at one takes time in proportion to its path.
TEST_F(LeaderDutiesTest, LooksAtLongPathsForABoundedTime) {
  std::string deep;
  for (int i = 0; i < 15; ++i) client_->Create(deep += "/" + std::string(250, 'x'));
  Settle();
  const size_t at_a_time = LeaderDuties::kExpirablePathBytesMax / deep.size() + 1;
  for (size_t i = 0; i < at_a_time + 5; ++i) MakeExpired(deep + "/c" + std::to_string(i));
  const size_t before = proposed();
  Look();
  EXPECT_LE(proposed(), before + at_a_time);
  EXPECT_GT(proposed(), before);
  Tick();
  Look();
  EXPECT_EQ(proposed(), before + at_a_time + 5);
}

TEST_F(LeaderDutiesTest, ProposesABoundedNumberAtATime) {
  constexpr size_t kMore = 3;
  for (size_t i = 0; i < LeaderDuties::kExpiredZnodesMax + kMore; ++i) {
    MakeExpired("/c" + std::to_string(i));
  }
  const size_t before = proposed();
  Look();
  EXPECT_EQ(proposed(), before + LeaderDuties::kExpiredZnodesMax);
  Tick();
  Look();
  EXPECT_EQ(proposed(), before + LeaderDuties::kExpiredZnodesMax + kMore);
}

// /zookeeper/config (Z53), at a service that leads.
class ConfigDuty : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    log_.SetServers(ensemble_.Peers());
    log_.SetChanging(false);
  }

  void Look() {
    scheduler_.RunFor(absl::Milliseconds(60));
    service_->OnTick(absl::Milliseconds(10));
    Settle();
  }
  std::string Members() {
    const auto config = service_->View().Get(tree::kConfigPath);
    return std::string(tree::MembersOfConfig(config->data.view()));
  }
  size_t proposed() const { return log_.principals().size(); }

  FakeEnsemble ensemble_{2};
};

TEST_F(ConfigDuty, ProposesWhoIsInOnce) {
  const size_t before = proposed();
  for (int i = 0; i < 5; ++i) Look();
  EXPECT_EQ(Members(), ConfigMembersOf(log_.status(), ""));
  EXPECT_EQ(proposed(), before + 1);
  EXPECT_EQ(log_.principals().back(), "");
}

TEST_F(ConfigDuty, FollowsAChange) {
  Look();
  ASSERT_TRUE(ensemble_.Ask({MembershipChange::Kind::kAdd, ServerId(3), "c:1"}).ok());
  log_.SetServers(ensemble_.Peers());
  log_.SetChanging(true);
  Look();
  EXPECT_EQ(Members().find("server.3"), std::string::npos);
  log_.SetChanging(false);
  Look();
  EXPECT_NE(Members().find("server.3=c:1:2:observer\n"), std::string::npos);
}

TEST_F(ConfigDuty, ProposesNothingTwiceWhileItIsUnderWay) {
  const size_t before = proposed();
  log_.Hold();
  for (int i = 0; i < 5; ++i) Look();
  EXPECT_EQ(proposed(), before + 1);
}

TEST_F(ConfigDuty, TriesAgainWhatTheLogRefused) {
  log_.RejectNext();
  Look();
  EXPECT_EQ(Members(), "");
  Look();
  EXPECT_NE(Members(), "");
}

TEST_F(ConfigDuty, ANewTermOwesNothingToTheOneBefore) {
  log_.Hold();
  Look();
  log_.DropUncommitted();
  log_.Release();
  service_->OnLeadership({Term(2), ServerId(1), Role::kLeader});
  Look();
  EXPECT_NE(Members(), "");
}

TEST_F(ConfigDuty, WhoDoesNotLeadProposesNothing) {
  service_->OnLeadership({Term(2), ServerId(2), Role::kFollower});
  const size_t before = proposed();
  Look();
  EXPECT_EQ(proposed(), before);
}

TEST_F(ConfigDuty, AServerWithoutPeersSaysNothing) {
  ReplicaStatus::Peer alone;
  alone.address = {ServerId(1), ""};
  log_.SetServers({alone});
  const size_t before = proposed();
  Look();
  EXPECT_EQ(proposed(), before);
}

}  // namespace
}  // namespace bellwether::coord

#include "coord/zk/reconfig.h"

#include <algorithm>
#include <optional>
#include <string>

#include "coord/service/ensemble_config.h"
#include "coord/tree/system_znodes.h"
#include "tests/unit/coord/service/fake_ensemble.h"
#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

wire::ReconfigRequest Joining(std::string_view joining) {
  wire::ReconfigRequest request;
  request.joining = joining;
  return request;
}

// "3 a:1 voter", for each that joins.
std::string Read(const wire::ReconfigRequest& request) {
  const Reconfigure made = TranslateReconfig(request);
  if (made.malformed.has_value()) return made.malformed->reason;
  std::string text;
  for (const Reconfigure::Server& server : made.joining) {
    text += std::to_string(server.id) + " " + server.address + (server.voter ? " voter," : ",");
  }
  for (const uint32_t id : made.leaving) text += "-" + std::to_string(id) + ",";
  return text;
}

// Z55
TEST(TranslateReconfig, ReadsServersAsZooKeeperWritesThem) {
  EXPECT_EQ(Read(Joining("server.3=a:2192:3888:observer;2181")), "3 a:2192,");
  EXPECT_EQ(Read(Joining("3=a:1:2:participant;0.0.0.0:2181")), "3 a:1 voter,");
  EXPECT_EQ(Read(Joining(" server.3 = [::1]:1:2 ; [::1]:2181 ,4=b:5:6:PARTICIPANT;1")),
            "3 [::1]:1 voter,4 b:5 voter,");
  wire::ReconfigRequest leaving;
  leaving.leaving = "1, 2";
  leaving.config_id = 7;
  EXPECT_EQ(Read(leaving), "-1,-2,");
  EXPECT_EQ(TranslateReconfig(leaving).config_version, 7);
  EXPECT_FALSE(TranslateReconfig(leaving).replaces_all);
}

TEST(TranslateReconfig, ReadsAWholeEnsemble) {
  wire::ReconfigRequest request;
  request.new_members = "server.1=a:1:2:participant;3\nserver.2=b:1:1,server.3=c:1:2:observer\n"
                        "version=100000003";
  EXPECT_EQ(Read(request), "1 a:1 voter,2 b:1 voter,3 c:1,");
  EXPECT_TRUE(TranslateReconfig(request).replaces_all);
  const std::string told = tree::ConfigOf(ConfigLineOf({1, "a:2192", true, "a:2181"}), Zxid(5));
  request.new_members = told;
  EXPECT_EQ(Read(request), "1 a:2192 voter,");  // what it told before is taken back
}

TEST(TranslateReconfig, RefusesWhatIsNoServer) {
  for (const char* bad :
       {"BAD", "server.3", "3=a:1:2:participant", "3=a:1;2", "3=a:1:2:voter;3", "3=a:0:2;3",
        "3=:1:2;3", "3=a:1:2:observer:x;3", "3=a:1:x;3", "3=a:1:2;x", "3=a:1:2;3=4", "3=a b:1:2;3",
        "3=a\nb:1:2;3", "3=[::1:1:2;3", "3=a:70000:2;3", "3=a:1:2;"}) {
    EXPECT_EQ(Read(Joining(bad)), "bad_arguments") << bad;
  }
  EXPECT_EQ(Read(Joining("server.x=a:1:2;3")), "bad_id");
  EXPECT_EQ(Read(Joining("-3=a:1:2;3")), "bad_id");
  wire::ReconfigRequest request;
  request.leaving = "one";
  EXPECT_EQ(Read(request), "bad_id");
  request.new_members = "weight.1=5";
  EXPECT_EQ(Read(request), "bad_arguments");
}

TEST(TranslateReconfig, ReadsNoMoreServersThanThereAreIds) {
  std::string many;
  for (int i = 0; i < 300; ++i) many += "1=a:1:2;3,";
  EXPECT_EQ(Read(Joining(many)), "bad_arguments");
  EXPECT_TRUE(TranslateReconfig(Joining(many)).joining.empty());
}

// Reconfigurations of an ensemble by a client of its leader.
class Reconfig : public ProtocolTest {
 protected:
  Reconfig() : ProtocolTest(WithSuper()) {}

  static ServiceOptions WithSuper() {
    ServiceOptions options = DefaultOptions();
    options.super_digest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4=";  // super:secret
    return options;
  }

  void SetUp() override {
    ProtocolTest::SetUp();
    log_.SetMembership([this](const MembershipChange& change) {
      auto view = ensemble_.Ask(change);
      log_.SetServers(ensemble_.Peers());
      return view;
    });
    log_.SetServers(ensemble_.Peers());
    log_.SetChanging(false);
    Tick();
    client_ = Connect();
    client_->Auth("digest", "super:secret");
  }

  // The leader looks who is in.
  void Tick() {
    scheduler_.RunFor(absl::Milliseconds(60));
    service_->OnTick(absl::Milliseconds(10));
    Settle();
  }
  int32_t Ask(const wire::ReconfigRequest& request) {
    return client_->Ask(Opcode::kReconfig, request);
  }
  ZkError Outcome(const wire::ReconfigRequest& request) {
    const int32_t xid = Ask(request);
    Settle();
    Tick();
    Tick();
    return client_->ErrorOf(xid);
  }
  static wire::ReconfigRequest Leaving(std::string_view leaving) {
    wire::ReconfigRequest request;
    request.leaving = leaving;
    return request;
  }
  wire::DataReply Config() {
    const int32_t xid = client_->Get(tree::kConfigPath);
    Settle();
    return client_->BodyOf<wire::DataReply>(xid);
  }

  FakeEnsemble ensemble_{3};
  std::unique_ptr<ZkClient> client_;
};

// Z53
TEST_F(Reconfig, TheConfigurationIsThere) {
  const wire::DataReply config = Config();
  EXPECT_EQ(config.stat.version, 1);
  EXPECT_EQ(*config.data,
            tree::ConfigOf("server.1=host1:2192:2193:participant\n"
                           "server.2=host2:2192:2193:participant\n"
                           "server.3=host3:2192:2193:participant\n",
                           Zxid(config.stat.mzxid)));
}

// Z55
TEST_F(Reconfig, AddsAndRemovesAndTellsTheConfiguration) {
  client_->Get(tree::kConfigPath, /*watch=*/true);
  wire::ReconfigRequest request = Joining("server.4=d:1:2:participant;3");
  request.leaving = "2";
  const int32_t xid = Ask(request);
  Settle();
  Tick();
  Tick();
  const auto reply = client_->BodyOf<wire::DataReply>(xid);
  EXPECT_EQ(reply, Config());
  EXPECT_EQ(reply.stat.version, 2);
  EXPECT_EQ(ServersOfConfig(*reply.data),
            (std::vector<ConfigServer>{{1, "host1:2192", true, ""},
                                       {3, "host3:2192", true, ""},
                                       {4, "d:1", true, ""}}));
  EXPECT_EQ(client_->events(), std::vector<std::string>{"3 /zookeeper/config"});
}

TEST_F(Reconfig, AnObserverStaysALearner) {
  EXPECT_EQ(Outcome(Joining("4=d:1:2:observer;3")), ZkError::kOk);
  EXPECT_EQ(ensemble_.asked, std::vector<std::string>{"add 4"});
}

// Z55: in the order in which ZooKeeper looks, where the request is wrong in several ways.
TEST_F(Reconfig, RefusesInZooKeepersOrder) {
  wire::ReconfigRequest request = Joining("BAD");
  request.config_id = 77;
  EXPECT_EQ(Outcome(request), ZkError::kBadVersion);
  request.config_id = Config().stat.mzxid;
  EXPECT_EQ(Outcome(request), ZkError::kBadArguments);
  request.joining = "x=1";
  EXPECT_EQ(Outcome(request), ZkError::kMarshallingError);
  EXPECT_EQ(Outcome(Leaving("1,2,3")), ZkError::kBadArguments);
  ensemble_.view().members[2].active = false;
  EXPECT_EQ(Outcome(Leaving("2")), ZkError::kNewConfigNoQuorum);
  ensemble_.view().changing = true;
  EXPECT_EQ(Outcome(Leaving("3")), ZkError::kReconfigInProgress);
  EXPECT_TRUE(ensemble_.asked.empty());
  EXPECT_FALSE(client_->closed());
}

// Z55
TEST_F(Reconfig, IsForWhomTheAclLets) {
  client_ = Connect();
  EXPECT_EQ(Outcome(Leaving("2")), ZkError::kNoAuth);
  EXPECT_TRUE(ensemble_.asked.empty());
}

// Z55
TEST_F(Reconfig, IsNotThereOfAServerWithoutPeers) {
  ReplicaStatus::Peer alone;
  alone.address = {ServerId(1), ""};
  log_.SetServers({alone});
  EXPECT_EQ(Outcome(Leaving("2")), ZkError::kUnimplemented);
}

// Z46
TEST_F(Reconfig, HasItsTurnAmongTheRequests) {
  ensemble_.caught_up = false;
  client_->Create("/before");
  const int32_t reconfig = Ask(Joining("4=d:1:2:participant;3"));
  const int32_t behind = client_->Create("/behind");
  const int32_t read = client_->Get("/behind");
  Settle();
  EXPECT_FALSE(client_->Find(behind).has_value());
  const auto other = Connect();
  const int32_t of_other = other->Get("/before");
  Settle();
  EXPECT_EQ(other->ErrorOf(of_other), ZkError::kOk);
  ensemble_.caught_up = true;
  for (int i = 0; i < 4; ++i) Tick();
  EXPECT_EQ(client_->ErrorOf(reconfig), ZkError::kOk);
  EXPECT_EQ(client_->ErrorOf(read), ZkError::kOk);
  const auto xids = client_->xids();
  EXPECT_TRUE(std::is_sorted(xids.end() - 4, xids.end()));
}

// One at a time at a server.
TEST_F(Reconfig, RefusesASecondOneMeanwhile) {
  ensemble_.caught_up = false;
  Ask(Joining("4=d:1:2:participant;3"));
  Settle();
  const auto other = Connect();
  other->Auth("digest", "super:secret");
  const int32_t xid = other->Ask(Opcode::kReconfig, Leaving("2"));
  Settle();
  EXPECT_EQ(other->ErrorOf(xid), ZkError::kReconfigInProgress);
}

// The client must find out itself.
TEST_F(Reconfig, AnUnknownOutcomeEndsTheConnection) {
  log_.SetMembership([this](const MembershipChange& change) -> absl::StatusOr<MembershipView> {
    if (change.kind == MembershipChange::Kind::kNone) return ensemble_.Ask(change);
    return base::UnknownOutcome(absl::StatusCode::kUnavailable, "the leader changed");
  });
  const int32_t xid = Ask(Leaving("2"));
  scheduler_.RunFor(absl::Seconds(6));
  EXPECT_FALSE(client_->Find(xid).has_value());
  EXPECT_TRUE(client_->closed());
}

class ReconfigBelowItsLevel : public ProtocolTest {
 protected:
  ReconfigBelowItsLevel() : ProtocolTest(AtLevel3()) {}
  static ServiceOptions AtLevel3() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = {1, 3};
    return options;
  }
};

// Z55
TEST_F(ReconfigBelowItsLevel, IsDisabled) {
  const auto client = Connect();
  const int32_t xid = client->Ask(Opcode::kReconfig, wire::ReconfigRequest{});
  Settle();
  EXPECT_EQ(client->ErrorOf(xid), ZkError::kReconfigDisabled);
  EXPECT_FALSE(client->closed());
}

}  // namespace
}  // namespace bellwether::coord::zk

#include "coord/service/ensemble_config.h"

#include <string>
#include <vector>

#include "coord/tree/system_znodes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

ReplicaStatus::Peer Peer(uint32_t id, std::string address, std::string zk = "") {
  ReplicaStatus::Peer peer;
  peer.address = {ServerId(id), std::move(address)};
  peer.zk = std::move(zk);
  peer.connected = true;
  return peer;
}

ReplicaStatus Ensemble() {
  ReplicaStatus replica;
  replica.changing = false;
  replica.servers = {Peer(1, "a:2192", "a:2181"), Peer(2, "[::1]:65535"), Peer(5, "c:1", "[::2]:3")};
  replica.servers[2].voter = false;
  return replica;
}

constexpr std::string_view kLines =
    "server.1=a:2192:2193:participant;a:2181\n"
    "server.2=[::1]:65535:65534:participant\n"
    "server.5=c:1:2:observer;[::2]:3\n";

// Z53: the two ports differ, as ZooKeeper's clients demand.
TEST(EnsembleConfig, HasALineForEachServer) {
  EXPECT_EQ(ConfigMembersOf(Ensemble(), ""), kLines);
}

TEST(EnsembleConfig, IsReadAsItWasWritten) {
  const std::vector<ConfigServer> servers = {{1, "a:2192", true, "a:2181"},
                                             {2, "[::1]:65535", true, ""},
                                             {5, "c:1", false, "[::2]:3"}};
  EXPECT_EQ(ServersOfConfig(tree::ConfigOf(kLines, tree::Zxid(9))), servers);
  EXPECT_THAT(ServersOfConfig("server.x=1\nwhat\n\nserver.=a:1:2:observer\nversion=1"),
              testing::IsEmpty());
}

TEST(EnsembleConfig, KeepsTheClientsAddressOfAServerThatIsDown) {
  ReplicaStatus replica = Ensemble();
  replica.servers[0].connected = false;
  replica.servers[0].zk = "";
  EXPECT_EQ(ConfigMembersOf(replica, kLines), kLines);
  replica.servers[0].connected = true;  // it serves no such clients any more
  EXPECT_EQ(ConfigMembersOf(replica, kLines)->substr(0, 35), "server.1=a:2192:2193:participant\nse");
}

TEST(EnsembleConfig, LeavesOutWhoIsNoMember) {
  ReplicaStatus replica = Ensemble();
  replica.servers[1].member = false;
  EXPECT_EQ(ConfigMembersOf(replica, "")->find("server.2"), std::string::npos);
}

TEST(EnsembleConfig, SaysNothingOfAChangeUnderWayOrWhatIsNotKnown) {
  ReplicaStatus replica = Ensemble();
  replica.changing = true;
  EXPECT_EQ(ConfigMembersOf(replica, ""), std::nullopt);
  replica.changing = false;
  replica.servers[0].address.address = "";
  EXPECT_EQ(ConfigMembersOf(replica, ""), std::nullopt);
  replica.servers.clear();
  EXPECT_EQ(ConfigMembersOf(replica, ""), std::nullopt);
}

// Z53: as ZooKeeper's standalone server.
TEST(EnsembleConfig, IsEmptyOfAServerWithoutPeers) {
  ReplicaStatus replica;
  replica.changing = false;
  replica.servers = {Peer(1, "")};
  EXPECT_EQ(ConfigMembersOf(replica, kLines), "");
}

TEST(EnsembleConfig, IsComparedWithTheMembers) {
  std::vector<MemberInfo> members(3);
  members[0] = {.id = ServerId(1), .address = "a:2192", .grpc = "", .voter = true};
  members[1] = {.id = ServerId(2), .address = "[::1]:65535", .grpc = "", .voter = true};
  members[2] = {.id = ServerId(5), .address = "c:1", .grpc = "", .voter = false};
  const std::string config = tree::ConfigOf(kLines, tree::Zxid(9));
  EXPECT_TRUE(ConfigSays(config, members));
  members[2].voter = true;
  EXPECT_FALSE(ConfigSays(config, members));
  members.pop_back();
  EXPECT_FALSE(ConfigSays(config, members));
  EXPECT_FALSE(ConfigSays("", members));
}

}  // namespace
}  // namespace bellwether::coord

#include "coord/options.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;

absl::StatusOr<ParsedCoordOptions> Parse(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"bell-coord"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return ParseCoordOptions(static_cast<int>(argv.size()), argv.data());
}

CoordServerOptions Good(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--id", "2", "--data-dir", "/d"});
  auto parsed = Parse(arguments);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->options : CoordServerOptions();
}

std::string Bad(std::vector<std::string> arguments) {
  auto parsed = Parse(arguments);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

std::string BadOf2(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--id", "2", "--data-dir", "/d"});
  return Bad(arguments);
}

TEST(CoordOptions, HaveTheDefaultsOfTheInterface) {
  const CoordServerOptions options = Good({});
  EXPECT_EQ(options.listen.ToString(), "127.0.0.1:2191");
  EXPECT_EQ(options.listen_admin->ToString(), "127.0.0.1:2190");
  EXPECT_FALSE(options.listen_peer.has_value());
  EXPECT_EQ(options.election_timeout, absl::Milliseconds(150));
  EXPECT_EQ(options.watch_ring_changes, 100'000u);
  EXPECT_EQ(options.log_level, "info");
  EXPECT_FALSE(options.allow_plaintext);
}

absl::StatusOr<ParsedRestoreOptions> ParseRestore(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"bell-coord", "restore"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  EXPECT_TRUE(IsRestore(static_cast<int>(argv.size()), argv.data()));
  return ParseRestoreOptions(static_cast<int>(argv.size()), argv.data());
}

TEST(RestoreOptions, AreAFileAndTheFlagsOfTheServer) {
  const auto parsed = ParseRestore({"f", "--id", "2", "--data-dir", "/d", "--peer", "2=far:1",
                                    "--peer", "1=away:1", "--snapshot-entries", "5"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->file, "f");
  const std::vector<PeerAddress> servers = parsed->server.options.Servers();
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0].address, "away:1");
}

TEST(RestoreOptions, NeedAFileAndAServer) {
  const auto message = [](std::vector<std::string> arguments) {
    const auto parsed = ParseRestore(std::move(arguments));
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status()));
    return std::string(parsed.status().message());
  };
  EXPECT_THAT(message({"--id", "2", "--data-dir", "/d"}), HasSubstr("FILE is missing"));
  EXPECT_THAT(message({"f", "--data-dir", "/d"}), HasSubstr("--id"));
  EXPECT_THAT(message({"f", "--id", "2"}), HasSubstr("--data-dir"));
  EXPECT_THAT(message({"f", "--id", "2", "--data-dir", "/d", "--peer", "1=a:1"}),
              HasSubstr("itself is missing"));
}

TEST(CoordOptions, ListenForPeersAtTheirOwnEntry) {
  const CoordServerOptions options =
      Good({"--peer", "3=c:1", "--peer", "1=a:1", "--peer", "2=127.0.0.1:7"});
  ASSERT_EQ(options.peers.size(), 3u);
  EXPECT_EQ(options.peers[0].id, ServerId(1));
  EXPECT_EQ(options.peers[2].address, "c:1");
  EXPECT_EQ(options.listen_peer->ToString(), "127.0.0.1:7");
}

TEST(CoordOptions, RefuseAnIncompleteOrContradictoryEnsemble) {
  EXPECT_THAT(Bad({"--data-dir", "/d"}), HasSubstr("--id"));
  EXPECT_THAT(Bad({"--id", "1"}), HasSubstr("--data-dir"));
  EXPECT_THAT(Bad({"--id", "255", "--data-dir", "/d"}), HasSubstr("255"));
  EXPECT_THAT(BadOf2({"--peer", "1=a:1", "--peer", "3=c:1"}), HasSubstr("server 2 itself"));
  EXPECT_THAT(BadOf2({"--peer", "2=127.0.0.1:1", "--peer", "2=127.0.0.1:2"}),
              HasSubstr("the same server"));
  EXPECT_THAT(BadOf2({"--peer", "2=127.0.0.1:1", "--peer", "3=127.0.0.1:1"}),
              HasSubstr("the same server"));
  EXPECT_THAT(BadOf2({"--peer", "2"}), HasSubstr("N=HOST:PORT"));
  EXPECT_THAT(BadOf2({"--peer", "2=127.0.0.1:0"}), HasSubstr("port"));
  EXPECT_THAT(BadOf2({"--listen-peer", "127.0.0.1:1"}), HasSubstr("--peer"));
}

TEST(CoordOptions, RefuseAddressesThatAreNotLoopbackUnlessTold) {
  for (const char* flag : {"--listen", "--listen-admin", "--listen-zk"}) {
    EXPECT_THAT(BadOf2({flag, "0.0.0.0:1"}), HasSubstr("--allow-plaintext"));
  }
  EXPECT_THAT(BadOf2({"--peer", "2=10.0.0.1:1"}), HasSubstr("--allow-plaintext"));
  EXPECT_EQ(Good({"--listen", "0.0.0.0:1", "--allow-plaintext"}).listen.host, "0.0.0.0");
}

TEST(CoordOptions, BoundTheTreeBySizesAndSlowRequestsByDurations) {
  EXPECT_EQ(Good({}).tree_bytes_max, 0u);
  EXPECT_EQ(Good({}).slow_request, absl::Seconds(1));
  EXPECT_EQ(Good({"--tree-bytes-max", "2GiB"}).tree_bytes_max, uint64_t{2} << 30);
  EXPECT_EQ(Good({"--tree-bytes-max", "0"}).tree_bytes_max, 0u);
  EXPECT_THAT(BadOf2({"--tree-bytes-max", "512"}), HasSubstr("--tree-bytes-max"));
  EXPECT_THAT(BadOf2({"--tree-bytes-max", "2 apples"}), HasSubstr("--tree-bytes-max"));
  EXPECT_EQ(Good({"--slow-request", "250ms"}).slow_request, absl::Milliseconds(250));
  EXPECT_EQ(Good({"--slow-request", "0"}).slow_request, absl::ZeroDuration());
  EXPECT_THAT(BadOf2({"--slow-request", "5"}), HasSubstr("--slow-request"));
}

TEST(CoordOptions, TakeAnyAddressToTellClients) {
  EXPECT_EQ(Good({"--advertise", "0.0.0.0:1"}).advertise, "0.0.0.0:1");
  EXPECT_EQ(Good({"--advertise", "here"}).advertise, "here");
}

TEST(CheckAdvertised, FindsWhatClientsCannotConnectTo) {
  for (const char* good : {"h.example:1", "10.1.2.3:65535", "127.0.0.1:1", "[fe80::1]:2"}) {
    EXPECT_TRUE(CheckAdvertised(good).ok()) << good;
  }
  for (const char* bad : {"0.0.0.0:1", "[::]:1", "h:0", "here", ""}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckAdvertised(bad))) << bad;
  }
}

TEST(CoordOptions, RefuseTimeoutsThatCannotWork) {
  EXPECT_THAT(BadOf2({"--election-timeout", "1ms"}), HasSubstr("50ms"));
  EXPECT_THAT(BadOf2({"--io-threads", "0"}), HasSubstr("--io-threads"));
}

TEST(CoordOptions, SayHowManyConnectionsThereMayBe) {
  EXPECT_EQ(Good({}).connections_max, 10'000u);
  EXPECT_EQ(Good({"--connections-max", "120000"}).connections_max, 120'000u);
  EXPECT_THAT(BadOf2({"--connections-max", "0"}), HasSubstr("--connections-max"));
}

TEST(CoordOptions, AdminAndZooKeeperCanBeOff) {
  EXPECT_FALSE(Good({"--listen-admin", "off"}).listen_admin.has_value());
  EXPECT_FALSE(Good({"--listen-zk", "off"}).listen_zk.has_value());
}

TEST(CoordOptions, OfZooKeepersClientsAreThoseOfZooKeeper) {
  const CoordServerOptions usual = Good({});
  ASSERT_TRUE(usual.listen_zk.has_value());
  EXPECT_EQ(usual.listen_zk->ToString(), "127.0.0.1:2181");
  EXPECT_EQ(usual.zk_connections_per_address, 60u);
  EXPECT_TRUE(usual.zk_words.Allows("srvr"));
  EXPECT_FALSE(usual.zk_words.Allows("mntr"));
  const CoordServerOptions other = Good({"--zk-4lw", "mntr", "--zk-connections-per-address", "0",
                                         "--superdigest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="});
  EXPECT_EQ(other.zk_connections_per_address, 0u);
  EXPECT_TRUE(other.zk_words.Allows("mntr"));
  EXPECT_EQ(other.super_digest, "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
  EXPECT_THAT(BadOf2({"--zk-4lw", "mntr,what"}), HasSubstr("what"));
  EXPECT_THAT(BadOf2({"--superdigest", "word"}), HasSubstr("USER:DIGEST"));
}

}  // namespace
}  // namespace bellwether::coord

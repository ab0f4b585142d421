#include "coord/zk/four_letter_words.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord::zk {
namespace {

using testing::HasSubstr;
using testing::Not;

ServerReport Report() {
  ServerReport report;
  report.version = "3.9.5-test";
  report.serves = true;
  report.mode = "leader";
  report.zxid = Zxid(0x1f);
  report.digest = 7;
  report.znodes = 5;
  report.data_bytes = 44;
  report.ephemerals = 1;
  report.sessions = 2;
  report.voters = 3;
  report.connected_voters = 2;
  report.connected_observers = 1;
  report.open_files = 12;
  report.open_files_max = 1024;
  report.watches = 4;
  report.leading_for = absl::Seconds(7);
  report.pending_syncs = 6;
  return report;
}

ConnectionInfo Client() {
  ConnectionInfo client;
  client.address = "127.0.0.1:40312";
  client.session = SessionId(0x1234);
  client.timeout_ms = 30'000;
  client.outstanding = 2;
  client.last_operation = "GETD";
  client.last_xid = 10;
  client.last_zxid = Zxid(0x1f);
  client.established = absl::FromUnixMillis(1'000);
  client.last_response = absl::FromUnixMillis(2'000);
  client.traffic.received = 3;
  client.traffic.sent = 1;
  client.traffic.latency.Add(absl::Milliseconds(1));
  client.traffic.latency.Add(absl::Milliseconds(4));
  return client;
}

ClientsReport Clients() {
  return {.clients = {Client()}, .traffic = Client().traffic};
}

TEST(FourLetterWords, SrvrHasTheLinesThatZkServerLooksFor) {
  EXPECT_EQ(AnswerTo("srvr", Report(), Clients()),
            "Zookeeper version: 3.9.5-test\n"
            "Latency min/avg/max: 1/2.5/4\n"
            "Received: 3\nSent: 1\nConnections: 1\nOutstanding: 2\nZxid: 0x1f\nMode: leader\n"
            "Node count: 5\n");
}

TEST(FourLetterWords, StatListsTheClientsInShort) {
  EXPECT_THAT(AnswerTo("stat", Report(), Clients()),
              HasSubstr("3.9.5-test\nClients:\n"
                        " /127.0.0.1:40312[1](queued=2,recved=3,sent=1)\n\n"
                        "Latency min/avg/max: 1/2.5/4\n"));
}

TEST(FourLetterWords, ConsListsTheClientsInFull) {
  ClientsReport clients = Clients();
  clients.clients.push_back({.address = "127.0.0.1:1", .wants_input = false});
  EXPECT_EQ(AnswerTo("cons", Report(), clients),
            " /127.0.0.1:40312[1](queued=2,recved=3,sent=1,sid=0x1234,lop=GETD,est=1000,to=30000,"
            "lcxid=0xa,lzxid=0x1f,lresp=2000,llat=4,minlat=1,avglat=2,maxlat=4)\n"
            " /127.0.0.1:1[0](queued=0,recved=0,sent=0)\n\n");
}

TEST(FourLetterWords, MntrIsNamesAndValuesWithATabBetween) {
  const std::string text = AnswerTo("mntr", Report(), Clients());
  for (const char* line :
       {"zk_version\t3.9.5-test\n", "zk_server_state\tleader\n", "zk_avg_latency\t2.5\n",
        "zk_max_latency\t4\n", "zk_min_latency\t1\n", "zk_packets_received\t3\n",
        "zk_packets_sent\t1\n", "zk_num_alive_connections\t1\n", "zk_outstanding_requests\t2\n",
        "zk_znode_count\t5\n", "zk_watch_count\t4\n", "zk_ephemerals_count\t1\n",
        "zk_approximate_data_size\t44\n", "zk_global_sessions\t2\n",
        "zk_open_file_descriptor_count\t12\n", "zk_max_file_descriptor_count\t1024\n",
        "zk_quorum_size\t3\n", "zk_learners\t3\n",
        "zk_peer_state\tleading - broadcast\n", "zk_synced_followers\t2\n",
        "zk_synced_observers\t1\n", "zk_synced_non_voting_followers\t0\n",
        "zk_pending_syncs\t6\n", "zk_leader_uptime\t7000\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  ServerReport alone = Report();
  alone.mode = "standalone";
  EXPECT_THAT(AnswerTo("mntr", alone, {}), Not(HasSubstr("zk_quorum_size")));
  EXPECT_THAT(AnswerTo("mntr", alone, {}), HasSubstr("zk_avg_latency\t0.0\n"));
  EXPECT_THAT(AnswerTo("mntr", alone, {}), Not(HasSubstr("zk_peer_state")));
}

TEST(FourLetterWords, AnObserverSaysWhatItIs) {
  ServerReport report = Report();
  report.mode = "observer";
  report.peer_port = 2192;
  report.observes = true;
  report.membership = "server.1=a:1:2:participant\nversion=5";
  EXPECT_THAT(AnswerTo("srvr", report, {}), HasSubstr("Mode: observer\n"));
  EXPECT_THAT(AnswerTo("mntr", report, {}),
              HasSubstr("zk_server_state\tobserver\nzk_peer_state\tobserving - broadcast\n"));
  EXPECT_THAT(AnswerTo("mntr", report, {}), Not(HasSubstr("zk_learners")));
  EXPECT_THAT(AnswerTo("conf", report, {}),
              HasSubstr("quorumPort=2192\npeerType=1\nmembership: \n"
                        "server.1=a:1:2:participant\nversion=5\n"));
  report.peer_port = 0;
  EXPECT_THAT(AnswerTo("conf", report, {}), Not(HasSubstr("quorumPort")));
}

// Z57
TEST(FourLetterWords, AReadOnlyServerAnswersAndSaysSo) {
  ServerReport report = Report();
  report.serves = false;
  EXPECT_EQ(AnswerTo("isro", report, {}), "null");
  report.read_only = true;
  report.mode = "read-only";
  EXPECT_EQ(AnswerTo("isro", report, {}), "ro");
  EXPECT_THAT(AnswerTo("srvr", report, {}),
              testing::StartsWith("Zookeeper version: 3.9.5-test\n"
                                  "READ-ONLY mode; serving only read-only clients\nLatency"));
  EXPECT_THAT(AnswerTo("srvr", report, {}), HasSubstr("Mode: read-only\n"));
  EXPECT_THAT(AnswerTo("mntr", report, {}), HasSubstr("zk_server_state\tread-only\n"));
}

TEST(FourLetterWords, DumpListsSessionsTheirEphemeralsAndTheClients) {
  ServerReport report = Report();
  report.session_list = {{.session = SessionId(1), .timeout_ms = 4000},
                         {.session = SessionId(2), .timeout_ms = 6000, .ephemerals = {"/a", "/b"}}};
  EXPECT_EQ(AnswerTo("dump", report, Clients()),
            "SessionTracker dump:\nGlobal Sessions(2):\n0x1\t4000ms\n0x2\t6000ms\n"
            "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x2:\n\t/a\n\t/b\n"
            "Connections dump:\n\tip: /127.0.0.1:40312 sessionId: 0x1234\n");
}

TEST(FourLetterWords, WatchesAreCountedAndListedBySessionAndByPath) {
  ServerReport report = Report();
  report.watches = 3;
  report.watchers = 2;
  report.watched_paths = 2;
  report.watch_list = {{SessionId(1), "/a"}, {SessionId(1), "/b"}, {SessionId(2), "/a"}};
  EXPECT_EQ(AnswerTo("wchs", report, {}), "2 connections watching 2 paths\nTotal watches:3\n");
  EXPECT_EQ(AnswerTo("wchc", report, {}), "0x1\n\t/a\n\t/b\n0x2\n\t/a\n\n");
  EXPECT_EQ(AnswerTo("wchp", report, {}), "/a\n\t0x1\n\t0x2\n/b\n\t0x1\n\n");
  report.left_out = true;
  EXPECT_THAT(AnswerTo("wchc", report, {}), HasSubstr("(more is left out)\n"));
}

TEST(FourLetterWords, AnAnswerDoesNotGrowWithoutBound) {
  ClientsReport clients;
  clients.clients.assign(400'000, ConnectionInfo{.address = "127.0.0.1:40312"});
  const std::string text = AnswerTo("cons", Report(), clients);
  EXPECT_LT(text.size(), kAnswerBytesMax + 1000);
  EXPECT_THAT(text, testing::EndsWith("(more is left out)\n\n"));
}

TEST(FourLetterWords, EnviHasTheVersionThatKazooReads) {
  EXPECT_THAT(AnswerTo("envi", Report(), {}),
              testing::StartsWith("Environment:\nzookeeper.version=3.9.5-test\nhost.name="));
}

TEST(FourLetterWords, ConfDirsAndHashSayWhatThereIs) {
  ServerReport report = Report();
  report.port = 2181;
  report.data_dir = "/d";
  report.data_dir_bytes = 10;
  report.log_dir_bytes = 20;
  report.connections_per_address_max = 60;
  report.server_id = 3;
  EXPECT_THAT(AnswerTo("conf", report, {}), testing::StartsWith("clientPort=2181\n"));
  EXPECT_THAT(AnswerTo("conf", report, {}), HasSubstr("\nmaxClientCnxns=60\n"));
  EXPECT_THAT(AnswerTo("conf", report, {}), testing::EndsWith("\nserverId=3\n"));
  EXPECT_EQ(AnswerTo("dirs", report, {}), "datadir_size: 10\nlogdir_size: 20\n");
  EXPECT_EQ(AnswerTo("hash", report, {}), "1f: 7\n");
}

TEST(FourLetterWords, OfAServerThatDoesNotServeSaySo) {
  ServerReport report = Report();
  report.serves = false;
  for (const char* word : {"srvr", "stat", "mntr", "cons", "conf", "dump", "wchs", "crst"}) {
    EXPECT_EQ(AnswerTo(word, report, Clients()),
              "This ZooKeeper instance is not currently serving requests\n");
  }
  EXPECT_EQ(AnswerTo("ruok", report, {}), "imok");
  EXPECT_EQ(AnswerTo("isro", report, {}), "null");
  EXPECT_EQ(AnswerTo("isro", Report(), {}), "rw");
}

TEST(FourLetterWords, OffTheListAreRefusedInZooKeepersWords) {  // Z56
  EXPECT_EQ(NotOnTheList("mntr"), "mntr is not executed because it is not in the whitelist.\n");
  EXPECT_EQ(AnswerTo("stmk", Report(), {}), NotOnTheList("stmk"));
}

TEST(WordList, HasWhatWasNamedAndSrvr) {
  const auto list = WordList::Parse(" ruok, mntr,");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->Allows("ruok") && list->Allows("mntr") && list->Allows("srvr"));
  EXPECT_FALSE(list->Allows("stat") || list->Allows("isro") || list->Allows(""));
  const auto all = WordList::Parse("*");
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(all->Allows("wchp"));
  EXPECT_TRUE(WordList().Allows("isro"));
  EXPECT_THAT(std::string(WordList::Parse("ruok,nope").status().message()), HasSubstr("nope"));
}

TEST(FourLetterWords, AreToldFromLengths) {
  EXPECT_TRUE(IsFourLetterWord("ruok"));
  EXPECT_TRUE(IsFourLetterWord("ruok\n"));
  EXPECT_TRUE(IsFourLetterWord("gtmk"));
  EXPECT_FALSE(IsFourLetterWord("RUOK"));
  EXPECT_FALSE(IsFourLetterWord("ruo"));
  EXPECT_FALSE(IsFourLetterWord(std::string_view("\0\0\0\x2d", 4)));
}

}  // namespace
}  // namespace bellwether::coord::zk

#include "cli/stored_cluster.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

using client::BrokerId;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kTopicId[] = "00000000-0000-0001-0000-000000000002";

void Put(Znodes& znodes, const std::string& path, std::string data, int64_t czxid = 1) {
  client::WatchChange znode{.path = path, .data = std::move(data)};
  znode.stat.czxid = client::Zxid(czxid);
  znodes[path] = std::move(znode);
}

void PutBroker(Znodes& znodes, int id, int64_t epoch) {
  Put(znodes, "/brokers/ids/" + std::to_string(id),
      R"({"grpc":"h:)" + std::to_string(id) + R"(","rack":null,"started_ms":5})", epoch);
}

// Topic "t" of one partition on broker 1, led by its registration of epoch 7.
Znodes OneTopic() {
  Znodes znodes;
  Put(znodes, "/brokers/topics/t",
      std::string(R"({"topic_id":")") + kTopicId + R"(","partitions":{"0":[1]}})");
  Put(znodes, "/brokers/topics/t/partitions/0/state",
      R"({"leader":1,"leader_epoch":3,"isr":[{"broker":1,"epoch":7}]})");
  return znodes;
}

TEST(ClusterOfZnodes, HasWhatBrokersWrote) {
  Znodes znodes = OneTopic();
  PutBroker(znodes, 1, 7);
  Put(znodes, "/controller", R"({"brokerid":1})");
  Put(znodes, "/controller_epoch", "4");
  const client::ClusterInfo cluster = ClusterOfZnodes(znodes);
  EXPECT_EQ(cluster.controller_id, BrokerId(1));
  EXPECT_EQ(cluster.controller_epoch, 4);
  ASSERT_EQ(cluster.brokers.size(), 1u);
  EXPECT_TRUE(cluster.brokers[0].up);
  EXPECT_EQ(cluster.brokers[0].grpc, "h:1");
  EXPECT_EQ(cluster.brokers[0].epoch, 7);
  ASSERT_EQ(cluster.topics.size(), 1u);
  EXPECT_EQ(cluster.topics[0].topic_id.ToString(), kTopicId);
  ASSERT_EQ(cluster.topics[0].partitions.size(), 1u);
  const client::PartitionInfo& partition = cluster.topics[0].partitions[0];
  EXPECT_EQ(partition.leader, BrokerId(1));
  EXPECT_EQ(partition.leader_epoch, client::LeaderEpoch(3));
  EXPECT_THAT(partition.replicas, ElementsAre(BrokerId(1)));
  EXPECT_THAT(partition.isr, ElementsAre(BrokerId(1)));
}

TEST(ClusterOfZnodes, WithoutABrokerItsPartitionsHaveNoLeaderThoughTheirStateNamesIt) {
  const client::ClusterInfo cluster = ClusterOfZnodes(OneTopic());
  EXPECT_EQ(cluster.controller_id, BrokerId(-1));
  EXPECT_EQ(cluster.controller_epoch, 0);
  ASSERT_EQ(cluster.brokers.size(), 1u);
  EXPECT_EQ(cluster.brokers[0].id, BrokerId(1));
  EXPECT_FALSE(cluster.brokers[0].up);
  EXPECT_EQ(cluster.topics.at(0).partitions.at(0).leader, BrokerId(-1));
}

TEST(ClusterOfZnodes, ALaterRegistrationOfTheLeaderDoesNotLeadYet) {
  Znodes znodes = OneTopic();
  PutBroker(znodes, 1, 8);
  const client::ClusterInfo cluster = ClusterOfZnodes(znodes);
  EXPECT_TRUE(cluster.brokers.at(0).up);
  EXPECT_EQ(cluster.topics.at(0).partitions.at(0).leader, BrokerId(-1));
}

TEST(ClusterOfZnodes, PartitionsAreInTheOrderOfTheirNumbers) {
  Znodes znodes;
  std::string partitions;
  for (int p = 0; p < 11; ++p) {
    partitions += (p == 0 ? "" : ",") + ("\"" + std::to_string(p) + "\":[2]");
  }
  Put(znodes, "/brokers/topics/t", R"({"partitions":{)" + partitions + "}}");
  const client::ClusterInfo cluster = ClusterOfZnodes(znodes);
  ASSERT_EQ(cluster.topics.at(0).partitions.size(), 11u);
  for (int p = 0; p < 11; ++p) {
    EXPECT_EQ(cluster.topics[0].partitions[static_cast<size_t>(p)].partition, p);
  }
}

TEST(ClusterOfZnodes, WhatCanNotBeReadIsLeftOut) {
  Znodes znodes = OneTopic();
  Put(znodes, "/brokers/ids/x", "{}");
  Put(znodes, "/brokers/topics/u", "not JSON");
  Put(znodes, "/brokers/topics/v", R"({"partitions":[1]})");
  Put(znodes, "/brokers/topics/w", R"({"partitions":{"0":["a",-1,null],"2":7}})");
  Put(znodes, "/brokers/topics/t/partitions/0/state", R"({"leader":"x","isr":[4,{"broker":[]}]})");
  Put(znodes, "/controller", "[]");
  Put(znodes, "/controller_epoch", "many");
  const client::ClusterInfo cluster = ClusterOfZnodes(znodes);
  EXPECT_EQ(cluster.controller_id, BrokerId(-1));
  EXPECT_EQ(cluster.controller_epoch, 0);
  ASSERT_EQ(cluster.brokers.size(), 1u);  // named by "t"
  ASSERT_EQ(cluster.topics.size(), 2u);
  EXPECT_EQ(cluster.topics[0].partitions.at(0).leader, BrokerId(-1));
  ASSERT_EQ(cluster.topics[1].partitions.size(), 1u);
  EXPECT_THAT(cluster.topics[1].partitions[0].replicas, IsEmpty());
}

}  // namespace
}  // namespace bellwether::cli

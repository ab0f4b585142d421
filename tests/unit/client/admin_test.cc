#include "client/admin.h"

#include <memory>

#include "client/errors.h"
#include "tests/unit/client/fake_brokers.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

class AdminTest : public ::testing::Test {
 protected:
  FakeBrokers brokers_{2, 4};
  std::unique_ptr<Admin> admin_ = NewAdmin({.addresses = {"b0:1"}}, brokers_.NewRuntime());
};

TEST_F(AdminTest, DescribesWhatTheBrokersSay) {
  brokers_.metadata.set_controller_id(1);
  auto& config = *brokers_.topic().add_configs();
  config.set_name("retention.ms");
  config.set_value("5");
  config.set_source(broker::v1::CONFIG_SOURCE_TOPIC);
  const auto cluster = admin_->Describe({"t"});
  ASSERT_TRUE(cluster.ok());
  EXPECT_EQ(cluster->controller_id, BrokerId(1));
  const TopicInfo& topic = cluster->topics.at(0);
  EXPECT_EQ(topic.topic_id, base::Uuid(1, 1));
  EXPECT_EQ(topic.partitions.at(3).leader, BrokerId(1));
  EXPECT_EQ(topic.configs.at(0).source, "topic");
  EXPECT_EQ(admin_->Describe({"u"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(admin_->List()->topics.size(), 1u);
}

TEST_F(AdminTest, AsksEachLeaderForItsOffsetsAndSaysWhichPartitionsHaveNone) {
  for (int p = 0; p < 4; ++p) brokers_.offsets[static_cast<size_t>(p)].set_offset(10 + p);
  SetWireError(absl::StatusCode::kUnavailable, "not_leader", *brokers_.offsets[2].mutable_error());
  brokers_.SetLeader(3, -1, 1);
  brokers_.down = {"b1:1"};
  const auto cluster = admin_->List();
  const auto offsets = admin_->ListOffsets(*cluster, cluster->topics.at(0), Admin::kEnd);
  ASSERT_EQ(offsets.size(), 4u);
  EXPECT_EQ(offsets[0]->offset, Offset(10));
  EXPECT_EQ(std::string(offsets[1].status().message()), "refused");
  EXPECT_EQ(ReasonOf(offsets[2].status()), "not_leader");
  EXPECT_EQ(ReasonOf(offsets[3].status()), "partition_offline");
}

TEST_F(AdminTest, AsksEachBrokerForItselfAndSaysWhichDoesNotAnswer) {
  brokers_.down = {"b0:1"};
  const auto statuses = admin_->StatusOf({"b1:1", "b0:1"});
  ASSERT_EQ(statuses.size(), 2u);
  ASSERT_TRUE(statuses[0].ok());
  EXPECT_EQ(statuses[0]->id, BrokerId(1));
  EXPECT_EQ(statuses[0]->disk_free_bytes, 1000u);
  EXPECT_TRUE(absl::IsUnavailable(statuses[1].status()));
}

TEST_F(AdminTest, CreatesAndDeletesTopics) {
  EXPECT_EQ(admin_->CreateTopic({.name = "n"}).value(), base::Uuid(2, 2));
  EXPECT_TRUE(admin_->DeleteTopic("t").ok());
}

}  // namespace
}  // namespace bellwether::client

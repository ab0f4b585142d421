#include "broker/metadata/view_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/metadata/paths.h"
#include "broker/metadata/znode_json.h"
#include "tests/unit/broker/metadata/model_coord.h"

namespace bellwether::broker {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;

const base::Uuid kTopicId = base::Uuid::FromRandom(1, 2);
const base::Uuid kFolder = base::Uuid::FromRandom(3, 4);

std::string BrokerJson(base::Uuid folder = kFolder) {
  Broker broker;
  broker.host = "h";
  broker.grpc = "127.0.0.1:9192";
  broker.folder_id = folder;
  broker.pid = 7;
  return EncodeBroker(broker);
}

std::string TopicJson(base::Uuid id, int partitions) {
  TopicAssignment assignment{.topic_id = id};
  assignment.replicas.assign(partitions, {BrokerId(1)});
  return EncodeAssignment(assignment);
}

std::string StateJson(int32_t leader, int32_t epoch) {
  PartitionState state;
  state.leader = BrokerId(leader);
  state.leader_epoch = LeaderEpoch(epoch);
  state.isr = {{.broker = BrokerId(1), .epoch = BrokerEpoch(1), .folder_id = kFolder}};
  return EncodePartitionState(state);
}

class ViewBuilderTest : public testing::Test {
 protected:
  // The view after all that was committed so far.
  std::shared_ptr<const ClusterView> View() {
    for (; read_ < coord_.batches().size(); ++read_) builder_.Apply(coord_.batches()[read_]);
    return builder_.Build();
  }

  ModelCoord coord_;
  ViewBuilder builder_;
  size_t read_ = 0;
};

TEST_F(ViewBuilderTest, TakesBrokerEpochFromCzxid) {
  coord_.Put("/other", "x");
  coord_.Put("/brokers/ids/1", BrokerJson(), client::SessionId(9));
  const auto view = View();
  const Broker* broker = view->FindBroker(BrokerId(1));
  ASSERT_NE(broker, nullptr);
  EXPECT_EQ(broker->epoch, BrokerEpoch(2));
  EXPECT_EQ(broker->session_id, client::SessionId(9));
  EXPECT_EQ(broker->grpc, "127.0.0.1:9192");
  EXPECT_EQ(view->zxid(), Zxid(2));
  coord_.Delete("/brokers/ids/1");
  EXPECT_EQ(View()->FindBroker(BrokerId(1)), nullptr);
}

TEST_F(ViewBuilderTest, BuildsTopicWithStates) {
  coord_.Put(paths::Topic("t"), TopicJson(kTopicId, 2));
  coord_.Put(paths::PartitionState("t", 1), StateJson(1, 5));
  const auto view = View();
  const auto topic = view->FindTopic(kTopicId);
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->name, "t");
  ASSERT_EQ(topic->partition_count(), 2);
  EXPECT_FALSE(topic->partitions[0]->state.has_value());
  EXPECT_EQ(topic->partitions[1]->state->leader_epoch, LeaderEpoch(5));
  EXPECT_THAT(topic->partitions[1]->replicas, ElementsAre(BrokerId(1)));
}

TEST_F(ViewBuilderTest, SharesWhatDidNotChange) {
  coord_.Put(paths::Topic("a"), TopicJson(kTopicId, 200));
  coord_.Put(paths::Topic("b"), TopicJson(base::Uuid::FromRandom(8, 9), 1));
  const auto before = View();
  coord_.Put(paths::PartitionState("a", 3), StateJson(1, 0));
  const auto after = View();
  EXPECT_EQ(before->FindTopic("b"), after->FindTopic("b"));
  EXPECT_EQ(before->brokers(), after->brokers());
  const auto topic = after->FindTopic("a");
  EXPECT_EQ(before->FindTopic("a")->partitions[100], topic->partitions[100]);
  EXPECT_FALSE(before->FindTopic("a")->partitions[3]->state.has_value());
  std::vector<size_t> changed;
  topic->partitions.ForEachChanged(before->FindTopic("a")->partitions,
                                   [&](size_t i, const auto&) { changed.push_back(i); });
  EXPECT_LT(changed.size(), 100u);
  EXPECT_THAT(changed, Contains(3u));
}

TEST_F(ViewBuilderTest, RecreatedTopicForgetsOldStates) {
  coord_.Put(paths::Topic("t"), TopicJson(kTopicId, 1));
  coord_.Put(paths::PartitionState("t", 0), StateJson(1, 5));
  coord_.Delete(paths::Topic("t"));
  const base::Uuid other = base::Uuid::FromRandom(8, 9);
  coord_.Put(paths::Topic("t"), TopicJson(other, 1));
  const auto view = View();
  EXPECT_EQ(view->FindTopic(kTopicId), nullptr);
  EXPECT_FALSE(view->FindTopic(other)->partitions[0]->state.has_value());
}

TEST_F(ViewBuilderTest, MalformedContentIsNotedAndSkipped) {
  for (const std::string bad :
       {"", "{", "[]", "null", "7", "{\"topic_id\":1}", "{\"topic_id\":\"x\",\"partitions\":{}}",
        "{\"topic_id\":\"00000000-0000-4000-8000-000000000001\",\"partitions\":{\"1\":[1]}}",
        "{\"topic_id\":\"00000000-0000-4000-8000-000000000001\",\"partitions\":{\"0\":[]}}",
        "{\"topic_id\":\"00000000-0000-4000-8000-000000000001\",\"partitions\":{\"0\":[-1]}}",
        "{\"topic_id\":\"00000000-0000-4000-8000-000000000001\",\"partitions\":{\"00\":[1]}}"}) {
    coord_.Put(paths::Topic("t"), bad);
    const auto view = View();
    ASSERT_NE(view->FindTopic("t"), nullptr);
    EXPECT_FALSE(view->FindTopic("t")->readable) << bad;
    EXPECT_THAT(*view->unreadable(), Contains(Key(paths::Topic("t")))) << bad;
  }
  coord_.Put(paths::Topic("t"), TopicJson(kTopicId, 1));
  EXPECT_THAT(*View()->unreadable(), IsEmpty());
  EXPECT_TRUE(View()->FindTopic("t")->readable);
}

TEST_F(ViewBuilderTest, MalformedStateIsUntouchable) {
  coord_.Put(paths::Topic("t"), TopicJson(kTopicId, 1));
  for (const std::string bad :
       {"{\"leader\":1}", "{\"controller_epoch\":1,\"leader\":-2,\"leader_epoch\":0,\"isr\":[]}",
        "{\"controller_epoch\":1,\"leader\":1,\"leader_epoch\":99999999999,\"isr\":[]}",
        "{\"controller_epoch\":18446744073709551615,\"leader\":1,\"leader_epoch\":0,\"isr\":[]}",
        "{\"controller_epoch\":1,\"leader\":1,\"leader_epoch\":0,\"isr\":[1]}",
        "{\"controller_epoch\":1,\"leader\":1.5,\"leader_epoch\":0,\"isr\":[]}"}) {
    coord_.Put(paths::PartitionState("t", 0), bad);
    EXPECT_TRUE(View()->FindTopic("t")->partitions[0]->state_unreadable) << bad;
    EXPECT_FALSE(View()->FindTopic("t")->partitions[0]->state.has_value()) << bad;
  }
  coord_.Put(paths::PartitionState("t", 0), StateJson(1, 2));
  EXPECT_FALSE(View()->FindTopic("t")->partitions[0]->state_unreadable);
}

TEST_F(ViewBuilderTest, StrangePathsAreIgnored) {
  for (const std::string path :
       {"/", "/brokers", "/brokers/topics", "/brokers/topics/t/partitions",
        "/brokers/topics/t/partitions/x/state", "/brokers/topics/t/partitions/01/state",
        "/brokers/topics/t/partitions/-1/state", "/brokers/topics/t/partitions/1/state/x",
        "/brokers/topics/t/partitions/99999999999/state", "/brokers/idsx/1", "/controllers",
        "/config/topics", "/brokers/ids/1/2"}) {
    coord_.Put(path, "{}");
  }
  coord_.Put("/brokers/topics/t/partitions/10000/state", StateJson(1, 0));
  const auto view = View();
  EXPECT_EQ(view->topics().size(), 0u);
  EXPECT_THAT(*view->brokers(), IsEmpty());
  EXPECT_FALSE(view->controller().exists);
}

TEST_F(ViewBuilderTest, UnreadableConfigLeavesLastGoodInForce) {
  coord_.Put(paths::TopicConfig("t"), EncodeConfigs({{"retention.ms", "5"}}));
  coord_.Put(paths::TopicConfig("t"), "{\"config\":{\"retention.ms\":5}}");
  EXPECT_EQ(View()->ConfigsOf("t").find("retention.ms")->second, "5");
  EXPECT_EQ(View()->unreadable()->size(), 1u);
  coord_.Delete(paths::TopicConfig("t"));
  EXPECT_THAT(View()->ConfigsOf("t"), IsEmpty());
}

TEST_F(ViewBuilderTest, FollowsTheController) {
  coord_.Put("/controller_epoch", "7");
  coord_.Put("/controller", EncodeController(BrokerId(3), 1), client::SessionId(5));
  auto controller = View()->controller();
  EXPECT_EQ(controller.id, BrokerId(3));
  EXPECT_EQ(controller.epoch, 7);
  EXPECT_EQ(controller.czxid, Zxid(2));
  EXPECT_EQ(controller.session_id, client::SessionId(5));
  coord_.Put("/controller_epoch", "seven");
  coord_.Expire(client::SessionId(5));
  controller = View()->controller();
  EXPECT_FALSE(controller.exists);
  EXPECT_EQ(controller.id, kNoBroker);
  EXPECT_EQ(controller.epoch, 7);
}

TEST(ZnodeJson, KeepsUnknownFieldsOnRewrite) {
  const std::string written =
      "{\"version\":2,\"controller_epoch\":1,\"leader\":1,\"leader_epoch\":3,\"isr\":[],"
      "\"eligible\":[4],\"note\":{\"a\":1}}";
  auto state = DecodePartitionState(written, client::Stat());
  ASSERT_TRUE(state.ok());
  state->leader_epoch = LeaderEpoch(4);
  const std::string rewritten = EncodePartitionState(*state);
  EXPECT_THAT(rewritten, HasSubstr("\"eligible\":[4]"));
  EXPECT_THAT(rewritten, HasSubstr("\"note\":{\"a\":1}"));
  EXPECT_THAT(rewritten, HasSubstr("\"leader_epoch\":4"));
}

TEST(ZnodeJson, DeletionRecordRoundTrips) {
  DeletionRecord record;
  record.topic_id = kTopicId;
  record.name = "t";
  record.pending = {BrokerId(1), BrokerId(4)};
  const auto decoded = DecodeDeletionRecord(EncodeDeletionRecord(record), {}, kTopicId);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->pending, record.pending);
  EXPECT_EQ(decoded->name, "t");
  EXPECT_FALSE(
      DecodeDeletionRecord(EncodeDeletionRecord(record), {}, base::Uuid::FromRandom(5, 5)).ok());
}

}  // namespace
}  // namespace bellwether::broker

#include "broker/service/led_partitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/broker/service/cluster_fixture.h"

namespace bellwether::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LedPartitionsTest : public ClusterFixture {
 protected:
  std::string Refusal(TopicPartition id, int32_t leader_epoch = -1) {
    const auto found = led_.Find(id, leader_epoch);
    return found.ok() ? "led" : base::ReasonOf(found.status());
  }
};

TEST_F(LedPartitionsTest, LeadsWhatItsCurrentEpochAndFolderAreNamedFor) {
  PutTopic("t", 4);
  PutState("t", 0, kSelf, 3);
  PutState("t", 1, kSelf, 3, BrokerEpoch(76));
  PutState("t", 2, kSelf, 3, kEpoch, base::Uuid::FromRandom(5, 5));
  Show();
  EXPECT_EQ(Refusal(Id(0)), "led");
  EXPECT_EQ(Refusal(Id(1)), "not_leader") << "an earlier incarnation";
  EXPECT_EQ(Refusal(Id(2)), "not_leader") << "another disk";
  EXPECT_EQ(Refusal(Id(3)), "partition_offline") << "no state yet";
  EXPECT_EQ(Refusal(Id(4)), "unknown_topic_or_partition");
  EXPECT_EQ(Refusal(Id(0, 8)), "unknown_topic_or_partition");
}

TEST_F(LedPartitionsTest, ChecksTheClientsLeaderEpoch) {
  Lead(3);
  EXPECT_EQ(Refusal(Id(), 3), "led");
  EXPECT_EQ(Refusal(Id(), 2), "fenced_leader_epoch");
  EXPECT_EQ(Refusal(Id(), 4), "unknown_leader_epoch");
}

TEST_F(LedPartitionsTest, EndsAtOnceWhenTheViewSaysSo) {
  Lead();
  const auto leadership = *led_.Find(Id(), -1);
  int ends = 0;
  leadership->NotifyOnEnd([&ends] { ++ends; });
  PutState("t", 0, kNoBroker, 0);
  Show();
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(Refusal(Id()), "partition_offline");
  leadership->NotifyOnEnd([&ends] { ++ends; });
  EXPECT_EQ(ends, 2) << "at once, since it has ended";
}

TEST_F(LedPartitionsTest, LostRegistrationEndsEverything) {
  Lead();
  Show(BrokerEpoch());
  EXPECT_EQ(Refusal(Id()), "not_leader");
  Show();
  EXPECT_EQ(Refusal(Id()), "led");
}

TEST_F(LedPartitionsTest, FailedLogIsTriedAgain) {
  store_.fail_creates = 1;
  Lead();
  EXPECT_EQ(Refusal(Id()), "not_leader");
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(Refusal(Id()), "led");
}

TEST_F(LedPartitionsTest, LogAheadOfCoordIsNotLed) {
  Lead(5);
  Log().epoch_starts = {{.epoch = LeaderEpoch(5)}};
  PutState("t", 0, kSelf, 4);
  Show();
  EXPECT_EQ(Refusal(Id()), "not_leader");
  PutState("t", 0, kSelf, 6);
  Show();
  EXPECT_EQ(Refusal(Id()), "led");
}

TEST_F(LedPartitionsTest, ConfigReachesTheLog) {
  Lead();
  EXPECT_EQ(Log().config().retention_ms, 604800000);
  coord_.Put(paths::TopicConfig("t"),
             EncodeConfigs({{"retention.ms", "1000"}, {"max.message.bytes", "500"}}));
  Show();
  EXPECT_EQ(Log().config().retention_ms, 1000);
  EXPECT_EQ((*led_.Find(Id(), -1))->max_message_bytes(), 500);
}

TEST_F(LedPartitionsTest, DeletesOnlyWhatARecordNames) {
  Lead();
  PutTopic("kept", 1, 1);
  PutState("kept", 0, kSelf, 0);
  Show();
  coord_.Delete(paths::Topic("t"));
  Show();
  EXPECT_NE(store_.Fake(Id()), nullptr) << "stray: kept";
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_partitions_stray 1"));
  EXPECT_THAT(confirmed_, IsEmpty());

  DeletionRecord record;
  record.topic_id = TopicId();
  record.name = "t";
  record.pending = {kSelf};
  coord_.Put(paths::DeletionRecord(TopicId()), EncodeDeletionRecord(record));
  Show();
  EXPECT_EQ(store_.Fake(Id()), nullptr);
  EXPECT_NE(store_.Fake(Id(0, 1)), nullptr);
  EXPECT_THAT(confirmed_, ElementsAre(TopicId()));
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_partitions_stray 0"));
}

TEST_F(LedPartitionsTest, ChangesTheLogsOfATopicTogether) {
  PutTopic("t", 100);
  for (int p = 0; p < 100; ++p) PutState("t", p, kSelf, 0);
  Show();
  EXPECT_EQ(store_.writes, 1);
  EXPECT_EQ(Refusal(Id(99)), "led");
  coord_.Put(paths::TopicConfig("t"), EncodeConfigs({{"retention.ms", "1000"}}));
  Show();
  EXPECT_EQ(store_.writes, 2);
  EXPECT_EQ(Log(99).config().retention_ms, 1000);
  coord_.Delete(paths::Topic("t"));
  DeletionRecord record;
  record.topic_id = TopicId();
  record.name = "t";
  record.pending = {kSelf};
  coord_.Put(paths::DeletionRecord(TopicId()), EncodeDeletionRecord(record));
  Show();
  EXPECT_EQ(store_.writes, 3);
  EXPECT_THAT(store_.Partitions(), IsEmpty());
  EXPECT_THAT(confirmed_, ElementsAre(TopicId()));
}

TEST_F(LedPartitionsTest, OneLogThatFailsKeepsNoOtherFromBeingLed) {
  store_.fail_creates = 1;
  PutTopic("t", 3);
  for (int p = 0; p < 3; ++p) PutState("t", p, kSelf, 0);
  Show();
  EXPECT_EQ(Refusal(Id(0)), "not_leader");
  EXPECT_EQ(Refusal(Id(1)), "led");
  EXPECT_EQ(Refusal(Id(2)), "led");
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_partitions_failed 1"));
}

TEST_F(LedPartitionsTest, RecordOfATopicThatExistsDeletesNothing) {
  Lead();
  DeletionRecord record;
  record.topic_id = TopicId();
  record.name = "t";
  record.pending = {kSelf};
  coord_.Put(paths::DeletionRecord(TopicId()), EncodeDeletionRecord(record));
  Show();
  EXPECT_NE(store_.Fake(Id()), nullptr);
  EXPECT_THAT(confirmed_, IsEmpty());
}

TEST_F(LedPartitionsTest, NothingIsStrayBeforeTheFirstView) {
  ASSERT_TRUE(store_.CreatePartitions({{Id(), {}}}).front().ok());
  Show();
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_partitions_stray 0"));
}

}  // namespace
}  // namespace bellwether::broker

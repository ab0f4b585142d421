#include "broker/service/consume_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/broker/service/cluster_fixture.h"

namespace bellwether::broker {
namespace {

class ConsumeStreamTest : public ClusterFixture {
 protected:
  ConsumeStreamTest() {
    limits_.subscriptions_max = 3;
    service_ = std::make_unique<BrokerService>(
        limits_, led_, [] { return true; }, metrics_);
    stream_ = std::make_shared<ConsumeStream>(
        *service_, executor_, metrics_, [this](ConsumeChunk chunk) {
          chunks_.push_back(std::move(chunk));
        });
  }

  void Append(int count = 1, size_t value_bytes = 10, int partition = 0) {
    Log(partition).Append(MakeBatch(count, value_bytes), LeaderEpoch(0), [](const auto&) {});
    Log(partition).Sync();
    executor_.Run();
  }

  // Takes frames until none comes.
  void Drain() {
    for (size_t seen = chunks_.size() + 1; seen != chunks_.size();) {
      seen = chunks_.size();
      stream_->SinkReady();
      executor_.Run();
    }
  }

  int64_t RecordsOf(uint64_t id) {
    int64_t records = 0;
    for (const ConsumeChunk& chunk : chunks_) {
      if (chunk.subscription_id != id) continue;
      for (const BatchRef& batch : chunk.batches) {
        records += record::ParseBatchHeader(*batch)->record_count;
      }
    }
    return records;
  }

  ServiceLimits limits_;
  std::unique_ptr<BrokerService> service_;
  std::vector<ConsumeChunk> chunks_;
  std::shared_ptr<ConsumeStream> stream_;
};

TEST_F(ConsumeStreamTest, TellsTheOffsetsOfAnEmptyPartitionOnce) {
  Lead();
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  ASSERT_EQ(chunks_.size(), 1u);
  EXPECT_EQ(chunks_[0].subscription_id, 7u);
  EXPECT_TRUE(chunks_[0].batches.empty());
  EXPECT_EQ(chunks_[0].offsets.high_watermark, Offset(0));
}

TEST_F(ConsumeStreamTest, PushesWhatBecomesDurable) {
  Lead();
  stream_->AddCredit(1 << 20);
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  Append(3);
  Drain();
  EXPECT_EQ(RecordsOf(7), 3);
  Append(2);
  Drain();
  EXPECT_EQ(RecordsOf(7), 5);
}

TEST_F(ConsumeStreamTest, DoesNotPollAtTheEnd) {
  Lead();
  stream_->AddCredit(1 << 20);
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  const int reads = Log().reads();
  executor_.Advance(absl::Hours(1));
  EXPECT_EQ(Log().reads(), reads);
  EXPECT_EQ(Log().waits(), 1u);
}

TEST_F(ConsumeStreamTest, StaysWithinItsCredit) {
  Lead();
  for (int i = 0; i < 20; ++i) Append(1, 1000);
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  EXPECT_EQ(RecordsOf(7), 0);
  ASSERT_EQ(chunks_.size(), 1u) << "the offsets come without credit";
  EXPECT_EQ(chunks_[0].offsets.high_watermark, Offset(20));
  stream_->AddCredit(2500);
  Drain();
  EXPECT_EQ(RecordsOf(7), 3) << "the credit, and at most one batch";
  stream_->AddCredit(1);
  Drain();
  EXPECT_EQ(RecordsOf(7), 4) << "always one batch, or a consumer would hang";
}

TEST_F(ConsumeStreamTest, SendsOneFrameAtATime) {
  Lead();
  for (int i = 0; i < 3; ++i) Append(1, 200 << 10);
  stream_->AddCredit(10 << 20);
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  executor_.Run();
  EXPECT_EQ(chunks_.size(), 1u);
  stream_->SinkReady();
  EXPECT_EQ(chunks_.size(), 2u);
}

TEST_F(ConsumeStreamTest, SubscriptionsTakeTurns) {
  PutTopic("t", 2);
  PutState("t", 0, kSelf, 0);
  PutState("t", 1, kSelf, 0);
  Show();
  for (int i = 0; i < 10; ++i) {
    Append(1, 200 << 10, 0);
    Append(1, 200 << 10, 1);
  }
  stream_->AddCredit(1600 << 10);
  stream_->Subscribe(1, {.id = Id(0)}, Offset(0));
  stream_->Subscribe(2, {.id = Id(1)}, Offset(0));
  Drain();
  EXPECT_EQ(RecordsOf(1) + RecordsOf(2), 8);
  EXPECT_GE(RecordsOf(1), 3);
  EXPECT_GE(RecordsOf(2), 3);
}

TEST_F(ConsumeStreamTest, OffsetsOutsideEndTheSubscription) {
  Lead();
  Append(5);
  Log().TrimTo(Offset(2));
  stream_->AddCredit(1 << 20);
  for (const int64_t offset : {1, 6, -1}) {
    chunks_.clear();
    stream_->Subscribe(7, {.id = Id()}, Offset(offset));
    Drain();
    ASSERT_EQ(chunks_.size(), 1u) << offset;
    EXPECT_EQ(base::ReasonOf(chunks_[0].error), "offset_out_of_range");
    EXPECT_EQ(chunks_[0].offsets.log_start, Offset(2));
    EXPECT_EQ(chunks_[0].offsets.high_watermark, Offset(5));
  }
}

TEST_F(ConsumeStreamTest, OffsetsOutsideAreToldWithoutCredit) {
  Lead();
  stream_->Subscribe(7, {.id = Id()}, Offset(3));
  Drain();
  ASSERT_EQ(chunks_.size(), 1u);
  EXPECT_EQ(base::ReasonOf(chunks_[0].error), "offset_out_of_range");
}

TEST_F(ConsumeStreamTest, EndOfTheLeadershipEndsAWaitingSubscription) {
  Lead();
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  chunks_.clear();
  PutState("t", 0, kNoBroker, 0);
  Show();
  Drain();
  ASSERT_EQ(chunks_.size(), 1u);
  EXPECT_EQ(base::ReasonOf(chunks_[0].error), "partition_offline");
  EXPECT_EQ(Log().waits(), 0u);
}

TEST_F(ConsumeStreamTest, UnknownPartitionIsRefusedUnderItsId) {
  Lead();
  stream_->Subscribe(9, {.id = Id(5)}, Offset(0));
  Drain();
  ASSERT_EQ(chunks_.size(), 1u);
  EXPECT_EQ(chunks_[0].subscription_id, 9u);
  EXPECT_EQ(base::ReasonOf(chunks_[0].error), "unknown_topic_or_partition");
}

TEST_F(ConsumeStreamTest, SecondUseOfAnIdLeavesTheFirstAlone) {
  Lead();
  stream_->AddCredit(1 << 20);
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  stream_->Subscribe(7, {.id = Id()}, Offset(0));
  Drain();
  EXPECT_TRUE(absl::IsAlreadyExists(chunks_.back().error));
  Append(2);
  Drain();
  EXPECT_EQ(RecordsOf(7), 2);
}

TEST_F(ConsumeStreamTest, TooManySubscriptionsAreRefused) {
  Lead();
  for (uint64_t id = 1; id <= 4; ++id) stream_->Subscribe(id, {.id = Id()}, Offset(0));
  Drain();
  int refused = 0;
  for (const ConsumeChunk& chunk : chunks_) {
    if (absl::IsResourceExhausted(chunk.error)) ++refused;
  }
  EXPECT_EQ(refused, 1);
}

TEST_F(ConsumeStreamTest, UnsubscribeAndCloseLeaveNothingBehind) {
  Lead();
  stream_->AddCredit(1);
  stream_->Subscribe(1, {.id = Id()}, Offset(0));
  stream_->Subscribe(2, {.id = Id()}, Offset(0));
  Drain();
  EXPECT_EQ(Log().waits(), 2u);
  stream_->Unsubscribe(1);
  EXPECT_EQ(Log().waits(), 1u);
  stream_->Close();
  EXPECT_EQ(Log().waits(), 0u);
  chunks_.clear();
  Append(1);
  EXPECT_TRUE(chunks_.empty());
}

}  // namespace
}  // namespace bellwether::broker

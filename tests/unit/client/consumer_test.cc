#include "client/consumer.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "client/errors.h"
#include "tests/unit/client/fake_brokers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kRetry = absl::Milliseconds(100);

// Records with the offsets [begin, end), their values the offsets.
std::string Batch(int64_t begin, int64_t end) {
  record::BatchBuilder builder({});
  for (int64_t offset = begin; offset < end; ++offset) {
    const std::string value = absl::StrCat(offset);
    EXPECT_TRUE(builder.Append({.value = value}).ok());
  }
  std::string batch = builder.Finish().value();
  record::PatchBatch(batch, begin, 1);
  return batch;
}

class ConsumerTest : public ::testing::Test {
 protected:
  ConsumerTest() {
    for (auto& answer : brokers_.offsets) {
      answer.set_log_start_offset(2);
      answer.set_high_watermark(10);
      answer.set_offset(10);
    }
  }

  absl::Status Open(Consumer::Options options = {}) {
    options.addresses = {"b0:1"};
    options.topic = "t";
    auto consumer = OpenConsumer(options, [this](const std::string&) {
      return brokers_.NewRuntime();
    });
    if (!consumer.ok()) return consumer.status();
    consumer_ = *std::move(consumer);
    brokers_.executor->Settle();
    return absl::OkStatus();
  }
  static Consumer::Options Partition(int32_t partition) { return {.partitions = {partition}}; }

  FakeBrokers::ConsumeStream& Last() { return *brokers_.consume_streams.back(); }

  // What was sent on a stream, as in "b0:1 credit 100 p0@2 epoch 1".
  static std::string Sent(const FakeBrokers::ConsumeStream& stream) {
    std::string text = stream.address;
    for (const auto& request : stream.sent) {
      if (request.has_credit()) absl::StrAppend(&text, " credit ", request.credit().bytes());
      if (!request.has_subscribe()) continue;
      const auto& partition = request.subscribe().partition();
      absl::StrAppend(&text, " p", partition.partition(), "@", request.subscribe().offset(),
                      " epoch ", partition.leader_epoch());
    }
    return text;
  }
  static uint64_t SubscriptionId(const FakeBrokers::ConsumeStream& stream) {
    uint64_t id = 0;
    for (const auto& request : stream.sent) {
      if (request.has_subscribe()) id = request.subscribe().subscription_id();
    }
    return id;
  }

  // To the newest subscription of a stream.
  void Deliver(FakeBrokers::ConsumeStream& stream, const std::string& batches) {
    broker::v1::ConsumeResponse frame;
    frame.set_subscription_id(SubscriptionId(stream));
    frame.set_batches(batches);
    frame.set_high_watermark(10);
    brokers_.Deliver(stream, frame);
  }
  void Refuse(absl::StatusCode code, const std::string& reason) {
    broker::v1::ConsumeResponse frame;
    frame.set_subscription_id(SubscriptionId(Last()));
    SetWireError(code, reason, *frame.mutable_error());
    brokers_.Deliver(Last(), frame);
  }

  // All that can be polled now, as in "p0 2..4"; then the error, if any.
  std::vector<std::string> Polled() {
    std::vector<std::string> texts;
    while (true) {
      const auto batch = consumer_->Poll(absl::ZeroDuration());
      brokers_.executor->Settle();
      if (!batch.ok()) texts.push_back(absl::StatusCodeToString(batch.status().code()));
      if (!batch.ok() || !batch->has_value()) return texts;
      texts.push_back(absl::StrCat("p", (*batch)->partition, " ", (*batch)->first_offset.value(),
                                   "..", (*batch)->next_offset.value()));
    }
  }

  FakeBrokers brokers_{2, 2};
  std::unique_ptr<Consumer> consumer_;
};

TEST_F(ConsumerTest, ReadsAllPartitionsFromTheBeginningWithItsShareOfCredit) {
  ASSERT_TRUE(Open({.buffer_bytes_max = 1000}).ok());
  ASSERT_EQ(brokers_.consume_streams.size(), 2u);
  EXPECT_EQ(Sent(*brokers_.consume_streams[0]), "b0:1 credit 500 p0@2 epoch 1");
  EXPECT_EQ(Sent(*brokers_.consume_streams[1]), "b1:1 credit 500 p1@2 epoch 1");
  Deliver(*brokers_.consume_streams[0], Batch(2, 4) + Batch(4, 5));
  Deliver(*brokers_.consume_streams[1], Batch(0, 3));  // begins before the wanted offset
  EXPECT_THAT(Polled(), ElementsAre("p0 2..4", "p0 4..5", "p1 2..3"));
  EXPECT_EQ(consumer_->Position(0), Offset(5));
  EXPECT_EQ(consumer_->EndAtOpen(0), Offset(10));
}

TEST_F(ConsumerTest, BeginsWhereItIsTold) {
  using Kind = StartPosition::Kind;
  struct Case {
    StartPosition start;
    int64_t first;
  };
  for (const Case& c : {Case{{Kind::kEnd, 0}, 10}, Case{{Kind::kOffset, 7}, 7},
                        Case{{Kind::kTail, 3}, 7}, Case{{Kind::kTail, 300}, 2},
                        Case{{Kind::kTimestamp, 99}, 10}}) {
    ASSERT_TRUE(Open({.partitions = {1, 1}, .start = c.start}).ok());
    EXPECT_EQ(consumer_->Position(1), Offset(c.first));
    EXPECT_THAT(consumer_->partitions(), ElementsAre(1));
  }
  EXPECT_EQ(Open({.start = {Kind::kOffset, 1}}).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Open({.start = {Kind::kOffset, 11}}).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Open(Partition(2)).code(), absl::StatusCode::kInvalidArgument);
  brokers_.SetLeader(1, -1, 1);
  EXPECT_EQ(Open().code(), absl::StatusCode::kUnavailable);
  brokers_.topic().set_name("other");
  EXPECT_EQ(Open().code(), absl::StatusCode::kNotFound);
}

TEST_F(ConsumerTest, FollowsALeaderThatMovesWithoutGapOrRepetition) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  Deliver(Last(), Batch(2, 5));
  Refuse(absl::StatusCode::kUnavailable, "not_leader");
  Deliver(Last(), Batch(5, 6));  // of the subscription that has ended
  brokers_.SetLeader(0, 1, 2);
  brokers_.executor->Advance(kRetry);
  EXPECT_THAT(Sent(Last()), ::testing::EndsWith("p0@5 epoch 2"));
  EXPECT_EQ(Last().address, "b1:1");
  Deliver(Last(), Batch(5, 7));
  EXPECT_THAT(Polled(), ElementsAre("p0 2..5", "p0 5..7"));
}

TEST_F(ConsumerTest, ReadsOnAfterAStreamBroke) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  Deliver(Last(), Batch(2, 5));
  brokers_.down = {"b0:1"};
  brokers_.End(Last(), absl::UnavailableError("reset"));
  brokers_.executor->Advance(absl::Seconds(1));  // found only via the other broker, if at all
  brokers_.Do([this] { brokers_.down.clear(); });
  brokers_.executor->Advance(absl::Seconds(1));
  EXPECT_THAT(Sent(Last()), ::testing::EndsWith("p0@5 epoch 1"));
  EXPECT_FALSE(Last().cancelled);
  Deliver(Last(), Batch(4, 6));
  EXPECT_THAT(Polled(), ElementsAre("p0 2..5", "p0 5..6"));
}

TEST_F(ConsumerTest, WaitsForALeaderOfAnOfflinePartition) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  brokers_.SetLeader(0, -1, 1);
  Refuse(absl::StatusCode::kUnavailable, "not_leader");
  brokers_.executor->Advance(absl::Seconds(1));
  EXPECT_EQ(brokers_.consume_streams.size(), 1u);
  brokers_.SetLeader(0, 1, 2);
  brokers_.executor->Advance(2 * kRetry);
  EXPECT_THAT(Sent(Last()), ::testing::EndsWith("p0@2 epoch 2"));
}

TEST_F(ConsumerTest, GivesCreditBackForWhatIsPolledOrDropped) {
  ASSERT_TRUE(Open({.partitions = {0}, .buffer_bytes_max = 1000}).ok());
  const std::string batch = Batch(2, 5);
  Deliver(Last(), batch);
  EXPECT_EQ(Sent(Last()), "b0:1 credit 500 p0@2 epoch 1");
  Polled();
  const std::string returned = absl::StrCat(" credit ", batch.size());
  EXPECT_EQ(Sent(Last()), "b0:1 credit 500 p0@2 epoch 1" + returned);
  Refuse(absl::StatusCode::kUnavailable, "not_leader");
  Deliver(Last(), Batch(5, 6));
  EXPECT_EQ(Sent(Last()), absl::StrCat("b0:1 credit 500 p0@2 epoch 1", returned, " credit ",
                                       Batch(5, 6).size()));
}

TEST_F(ConsumerTest, WhatIsNotPolledIsNoCreditForTheNextStream) {
  ASSERT_TRUE(Open({.partitions = {0}, .buffer_bytes_max = 1000}).ok());
  const std::string batch = Batch(2, 5);
  Deliver(Last(), batch);
  brokers_.End(Last(), absl::UnavailableError("reset"));
  brokers_.executor->Advance(kRetry);
  EXPECT_EQ(Sent(Last()), absl::StrCat("b0:1 credit ", 500 - batch.size(), " p0@5 epoch 1"));
  Polled();
  EXPECT_EQ(Sent(Last()), absl::StrCat("b0:1 credit ", 500 - batch.size(), " p0@5 epoch 1 credit ",
                                       batch.size()));
}

TEST_F(ConsumerTest, FailsForGoodWhenRetentionOvertookIt) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  Deliver(Last(), Batch(2, 5));
  Refuse(absl::StatusCode::kOutOfRange, "offset_out_of_range");
  EXPECT_THAT(Polled(), ElementsAre("p0 2..5", "OUT_OF_RANGE"));  // what came before is given first
  EXPECT_THAT(Polled(), ElementsAre("OUT_OF_RANGE"));
}

TEST_F(ConsumerTest, FailsWhenTheTopicIsDeleted) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  brokers_.topic().set_name("other");
  Refuse(absl::StatusCode::kNotFound, "unknown_topic_or_partition");
  EXPECT_THAT(Polled(), ElementsAre());  // perhaps the broker does not know of it yet
  brokers_.executor->Advance(kRetry);
  EXPECT_THAT(Polled(), ElementsAre("NOT_FOUND"));
}

TEST_F(ConsumerTest, FailsWhenTheTopicIsMadeAgain) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  brokers_.topic().set_topic_id(base::Uuid(9, 9).Bytes());
  Refuse(absl::StatusCode::kNotFound, "unknown_topic_or_partition");
  brokers_.executor->Advance(kRetry);
  const auto batch = consumer_->Poll(absl::ZeroDuration());
  EXPECT_EQ(batch.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(batch.status()), "unknown_topic_or_partition");
}

TEST_F(ConsumerTest, ADamagedBatchIsDataLossAndNamesThePlace) {
  for (const bool cut : {false, true}) {
    ASSERT_TRUE(Open(Partition(0)).ok());
    std::string batch = Batch(3, 5);
    batch.back() ^= 1;
    if (cut) batch = Batch(3, 5).substr(0, 70);
    Deliver(Last(), Batch(2, 3) + batch);
    EXPECT_THAT(Polled(), ElementsAre("p0 2..3", "DATA_LOSS"));
    const auto failed = consumer_->Poll(absl::ZeroDuration());
    EXPECT_THAT(std::string(failed.status().message()), ::testing::HasSubstr("t/0 at offset 3"));
  }
}

TEST_F(ConsumerTest, InterruptEndsAPollThatWaits) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  consumer_->Interrupt();
  EXPECT_EQ(consumer_->Poll(absl::InfiniteDuration()).value(), std::nullopt);
}

TEST_F(ConsumerTest, PollWaitsForWhatComes) {
  ASSERT_TRUE(Open(Partition(0)).ok());
  brokers_.executor->Post([this] {
    broker::v1::ConsumeResponse frame;
    frame.set_subscription_id(SubscriptionId(Last()));
    frame.set_batches(Batch(2, 4));
    Last().callbacks.on_frame(frame);
  });
  const auto batch = consumer_->Poll(absl::InfiniteDuration());
  ASSERT_TRUE(batch.ok() && batch->has_value());
  EXPECT_EQ((*batch)->next_offset, Offset(4));
}

}  // namespace
}  // namespace bellwether::client

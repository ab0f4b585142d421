#include "client/producer.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/record/partitioner.h"
#include "base/status.h"
#include "base/thread.h"
#include "tests/unit/client/fake_brokers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kLinger = absl::Milliseconds(5);
constexpr absl::Duration kRetry = absl::Milliseconds(100);

std::vector<std::string> Values(const std::string& batch) {
  std::vector<std::string> values;
  auto reader = record::RecordReader::Open(batch);
  record::Record record;
  while (reader->Next(record).value()) values.emplace_back(record.value.value_or("null"));
  return values;
}

class ProducerTest : public ::testing::Test {
 protected:
  void Start(Producer::Options options = {}, int brokers = 2, int partitions = 4) {
    brokers_ = std::make_unique<FakeBrokers>(brokers, partitions);
    options.addresses = {"b0:1"};
    options.linger = kLinger;
    producer_ = NewProducer(options, brokers_->NewRuntime());
  }

  Producer::Done Result(const std::string& value) {
    return [this, value](absl::StatusOr<RecordLocation> location) {
      base::MutexLock lock(mutex_);
      results_.push_back(value + " " +
                         (location.ok() ? absl::StrCat(location->partition, "@",
                                                       location->offset.value())
                          : base::OutcomeOf(location.status()) == base::Outcome::kUnknown
                              ? "unknown"
                              : "rejected"));
    };
  }
  absl::Status Send(const std::string& value, std::optional<int32_t> partition,
                    std::optional<std::string_view> key = std::nullopt) {
    return producer_->Send("t", {.key = key, .value = value, .partition = partition},
                           Result(value));
  }
  void Linger() { brokers_->executor->Advance(kLinger); }
  void Advance(absl::Duration duration) { brokers_->executor->Advance(duration); }

  // All batches sent, in order, as in "b0:1 p0 x,y".
  std::vector<std::string> Sent() const {
    std::vector<std::string> sent;
    for (const auto& stream : brokers_->produce_streams) {
      for (const auto& request : stream->sent) {
        std::string text = absl::StrCat(stream->address, " p", request.partition().partition());
        for (const std::string& value : Values(request.batch())) absl::StrAppend(&text, " ", value);
        sent.push_back(text);
      }
    }
    return sent;
  }
  FakeBrokers::ProduceStream& Last() { return *brokers_->produce_streams.back(); }

  // Answers the last batch sent on the last stream, or the one at an index.
  void Accept(int64_t base_offset) { Accept(Last().sent.size() - 1, base_offset); }
  void Accept(size_t index, int64_t base_offset) {
    broker::v1::ProduceResponse response;
    response.set_request_id(Last().sent.at(index).request_id());
    response.set_base_offset(base_offset);
    brokers_->Deliver(Last(), response);
  }
  void Reject(absl::StatusCode code, const std::string& reason) {
    broker::v1::ProduceResponse response;
    response.set_request_id(Last().sent.back().request_id());
    SetWireError(code, reason, *response.mutable_error());
    brokers_->Deliver(Last(), response);
  }
  std::vector<std::string> Results() {
    base::MutexLock lock(mutex_);
    return results_;
  }

  base::Mutex mutex_;
  std::vector<std::string> results_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<FakeBrokers> brokers_;
  std::unique_ptr<Producer> producer_;
};

TEST_F(ProducerTest, BatchesWhatComesWithinTheLinger) {
  Start();
  ASSERT_TRUE(Send("a", 1).ok());
  Advance(kLinger / 2);
  ASSERT_TRUE(Send("b", 1).ok());
  EXPECT_THAT(Sent(), IsEmpty());
  Advance(kLinger / 2);
  EXPECT_THAT(Sent(), ElementsAre("b1:1 p1 a b"));
  Accept(7);
  EXPECT_THAT(Results(), ElementsAre("a 1@7", "b 1@8"));
}

TEST_F(ProducerTest, KeepsTheOrderOfAPartitionWhileItsLeaderMoves) {
  Start();
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  ASSERT_TRUE(Send("b", 0).ok());
  Linger();
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a"));  // one batch of a partition at a time
  Reject(absl::StatusCode::kUnavailable, "not_leader");
  brokers_->SetLeader(0, 1, 2);
  Advance(kRetry);  // asks for the new leader only now: sent to the old one again
  Reject(absl::StatusCode::kFailedPrecondition, "fenced_leader_epoch");
  Advance(kRetry);
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a", "b0:1 p0 a", "b1:1 p0 a"));
  EXPECT_EQ(Last().sent.back().partition().leader_epoch(), 2);
  Accept(0);
  Accept(1);
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a", "b0:1 p0 a", "b1:1 p0 a", "b1:1 p0 b"));
  EXPECT_THAT(Results(), ElementsAre("a 0@0", "b 0@1"));
}

TEST_F(ProducerTest, NeverResendsWhatMayHaveTakenEffectWhenAStreamBreaks) {
  Start();
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  ASSERT_TRUE(Send("b", 0).ok());
  brokers_->End(Last(), base::UnknownOutcome(absl::StatusCode::kUnavailable, "reset"));
  EXPECT_THAT(Results(), ElementsAre("a unknown"));
  Advance(absl::Seconds(1));
  EXPECT_EQ(brokers_->produce_streams.size(), 2u);
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a", "b0:1 p0 b"));
}

TEST_F(ProducerTest, SendsAgainWhatNeverLeftWhenAStreamBreaks) {
  Start();
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  brokers_->End(Last(), absl::UnavailableError("refused"));
  Advance(kRetry);
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a", "b0:1 p0 a"));
  Accept(3);
  EXPECT_THAT(Results(), ElementsAre("a 0@3"));
}

TEST_F(ProducerTest, GivesUpWhatIsRejectedAfterTheDeliveryTimeout) {
  Start({.delivery_timeout = absl::Seconds(2)});
  brokers_->down = {"b1:1"};
  ASSERT_TRUE(Send("a", 1).ok());
  Advance(absl::Milliseconds(1900));
  EXPECT_THAT(Results(), IsEmpty());
  EXPECT_GT(brokers_->produce_streams.size(), 10u);
  Advance(absl::Milliseconds(300));
  EXPECT_THAT(Results(), ElementsAre("a rejected"));
}

TEST_F(ProducerTest, AnAnswerThatDoesNotComeInTimeIsAnUnknownOutcome) {
  Start({.delivery_timeout = absl::Seconds(2)});
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  Advance(absl::Seconds(1));
  ASSERT_TRUE(Send("b", 0).ok());
  Advance(absl::Milliseconds(1100));
  EXPECT_THAT(Results(), ElementsAre("a unknown"));
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a", "b0:1 p0 b"));
  broker::v1::ProduceResponse late;
  late.set_request_id(Last().sent.front().request_id());
  brokers_->Deliver(Last(), late);
  Accept(5);
  EXPECT_THAT(Results(), ElementsAre("a unknown", "b 0@5"));
}

TEST_F(ProducerTest, ARefusalThatRetryingCannotHelpIsReportedAtOnce) {
  Start();
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  Reject(absl::StatusCode::kInvalidArgument, "corrupt");
  EXPECT_THAT(Results(), ElementsAre("a rejected"));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Sent(), ElementsAre("b0:1 p0 a"));
}

TEST_F(ProducerTest, WaitsForALeaderOfAnOfflinePartition) {
  Start();
  brokers_->SetLeader(0, -1, 1);
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Sent(), IsEmpty());
  brokers_->SetLeader(0, 1, 2);
  Advance(2 * kRetry);
  EXPECT_THAT(Sent(), ElementsAre("b1:1 p0 a"));
}

TEST_F(ProducerTest, RecordsWithoutKeyStickToOnePartitionThoughOthersHaveABacklog) {
  Start({.batch_bytes_max = 400}, 1, 8);
  for (int i = 0; i < 3; ++i) {
    for (int partition = 0; partition < 8; ++partition) {
      ASSERT_TRUE(Send(std::string(250, 'v'), partition).ok());
    }
  }
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send("n", std::nullopt).ok());
  brokers_->Do([this] { brokers_->accepts_all = true; });
  for (size_t i = 0; i < 8; ++i) Accept(i, 0);
  producer_->Flush();
  std::set<int32_t> partitions;
  for (const auto& request : Last().sent) {
    const auto values = Values(request.batch());
    if (values.back() == "n") partitions.insert(request.partition().partition());
  }
  EXPECT_EQ(partitions.size(), 1u);
}

TEST_F(ProducerTest, RecordsWithoutKeyGoOnToOtherPartitionsAsBatchesFill) {
  Start({.batch_bytes_max = 300}, 1, 8);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(Send(std::string(100, 'v'), std::nullopt).ok());
  Linger();
  EXPECT_GT(Last().sent.size(), 1u);  // one batch of each partition is under way
}

TEST_F(ProducerTest, RecordsOfOneLingerStickTogether) {
  Start({}, 1, 64);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Send("v", std::nullopt).ok());
  Linger();
  ASSERT_EQ(Last().sent.size(), 1u);
  EXPECT_EQ(Values(Last().sent.front().batch()).size(), 10u);
}

TEST_F(ProducerTest, AKeyDecidesThePartitionByMurmur2) {
  Start({}, 1, 4);
  for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(Send(key, std::nullopt, key).ok());
  Linger();
  size_t records = 0;
  for (const auto& request : Last().sent) {
    for (const std::string& key : Values(request.batch())) {
      EXPECT_EQ(request.partition().partition(), record::PartitionForKey(key, 4));
      ++records;
    }
  }
  EXPECT_EQ(records, 4u);
}

TEST_F(ProducerTest, AFullBufferMakesSendWaitAndSendsWhatLingers) {
  Start({.buffer_bytes_max = 150});
  const std::string value(100, 'v');
  ASSERT_TRUE(Send(value, 0).ok());
  base::Mutex mutex;
  base::CondVar done;
  bool sent = false;
  base::Thread sender("sender", [&] {
    EXPECT_TRUE(Send(value, 1).ok());
    base::MutexLock lock(mutex);
    sent = true;
    done.SignalAll();
  });
  {
    base::MutexLock lock(mutex);
    const bool signalled = !sent && done.WaitFor(mutex, absl::Milliseconds(20));
    EXPECT_FALSE(signalled || sent);
  }
  brokers_->executor->Settle();
  ASSERT_EQ(Sent().size(), 1u);  // though no time has passed
  Accept(0);
  sender.Join();
  Linger();
  EXPECT_EQ(Sent().size(), 2u);
}

TEST_F(ProducerTest, FlushSendsWhatLingersAndReturnsAfterTheLastOutcome) {
  Start();
  brokers_->accepts_all = true;
  ASSERT_TRUE(Send("a", 0).ok());
  ASSERT_TRUE(Send("b", 1).ok());
  producer_->Flush();
  EXPECT_THAT(Results(), ::testing::UnorderedElementsAre("a 0@0", "b 1@0"));
}

TEST_F(ProducerTest, DestructionTellsEveryOutcomeOnce) {
  Start({.batch_bytes_max = 200});
  const std::string value(100, 'v');
  ASSERT_TRUE(Send("under way", 0).ok());
  Linger();
  ASSERT_TRUE(Send(value, 0).ok());
  ASSERT_TRUE(Send("open", 0).ok());
  ASSERT_TRUE(Send("elsewhere", 1).ok());
  producer_.reset();
  EXPECT_THAT(Results(), ::testing::UnorderedElementsAre("under way unknown", value + " rejected",
                                                         "open rejected", "elsewhere rejected"));
}

TEST_F(ProducerTest, SendFailsForWhatIsNotThere) {
  Start();
  EXPECT_EQ(Send("a", 4).code(), absl::StatusCode::kInvalidArgument);
  const absl::Status unknown = producer_->Send("u", {.value = "a"}, Result("a"));
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Send(std::string(2 << 20, 'v'), 0).code(), absl::StatusCode::kInvalidArgument);
  brokers_->metadata.add_topics()->set_name("empty");
  const absl::Status early = producer_->Send("empty", {.value = "a"}, Result("a"));
  EXPECT_EQ(early.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Results(), IsEmpty());
}

TEST_F(ProducerTest, FailsWhatWaitsForADeletedTopicAndFindsTheNewOneOfItsName) {
  Start();
  ASSERT_TRUE(Send("a", 0).ok());
  Linger();
  brokers_->topic().set_topic_id(base::Uuid(9, 9).Bytes());
  Reject(absl::StatusCode::kNotFound, "unknown_topic_or_partition");
  Advance(kRetry);
  EXPECT_THAT(Results(), ElementsAre("a rejected"));
  ASSERT_TRUE(Send("b", 0).ok());
  Linger();
  EXPECT_EQ(Last().sent.back().partition().topic_id(), base::Uuid(9, 9).Bytes());
  Accept(0);
  EXPECT_THAT(Results(), ElementsAre("a rejected", "b 0@0"));
}

}  // namespace
}  // namespace bellwether::client

#include "broker/service/broker_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/broker/service/cluster_fixture.h"

namespace bellwether::broker {
namespace {

class BrokerServiceTest : public ClusterFixture {
 protected:
  BrokerServiceTest() { limits_.produce_bytes_max = 1000; }

  BrokerService& Service() {
    if (service_ == nullptr) {
      service_ = std::make_unique<BrokerService>(
          limits_, led_, [this] { return within_deadline_; }, metrics_);
    }
    return *service_;
  }

  void Produce(std::string batch, int32_t leader_epoch = -1) {
    Service().Produce({.id = Id(), .leader_epoch = leader_epoch}, std::move(batch),
                      [this](const absl::StatusOr<Produced>& result) {
                        results_.push_back(result);
                      });
  }
  std::string LastReason() { return base::ReasonOf(results_.back().status()); }

  ServiceLimits limits_;
  bool within_deadline_ = true;
  std::vector<absl::StatusOr<Produced>> results_;
  std::unique_ptr<BrokerService> service_;
};

TEST_F(BrokerServiceTest, AcknowledgesWhenDurable) {
  Lead(2);
  Produce(MakeBatch(3));
  Produce(MakeBatch(1));
  EXPECT_TRUE(results_.empty());
  Log().Sync();
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[1]->base_offset, Offset(3));
  EXPECT_EQ(results_[1]->leader_epoch, LeaderEpoch(2));
}

TEST_F(BrokerServiceTest, RefusesWhatIsNoBatch) {
  Lead();
  std::string damaged = MakeBatch();
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  for (const std::string& bad : {std::string(), std::string("x"), std::string(100, '\0'), damaged,
                                 MakeBatch() + "x"}) {
    Produce(bad);
    ASSERT_FALSE(results_.back().ok());
    EXPECT_EQ(results_.back().status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(LastReason(), "corrupt_batch");
  }
}

TEST_F(BrokerServiceTest, RefusesMoreThanTheTopicAllows) {
  Lead();
  coord_.Put(paths::TopicConfig("t"), EncodeConfigs({{"max.message.bytes", "100"}}));
  Show();
  Produce(MakeBatch(1, 200));
  EXPECT_EQ(LastReason(), "message_too_large");
  Produce(MakeBatch(1, 10));
  Log().Sync();
  EXPECT_TRUE(results_.back().ok());
}

TEST_F(BrokerServiceTest, BoundsBytesInFlight) {
  Lead();
  Produce(MakeBatch(1, 700));
  Produce(MakeBatch(1, 700));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(LastReason(), "queue_full");
  EXPECT_EQ(base::OutcomeOf(results_[0].status()), base::Outcome::kRejected);
  Log().Sync();
  Produce(MakeBatch(1, 700));
  Log().Sync();
  EXPECT_TRUE(results_.back().ok());
}

TEST_F(BrokerServiceTest, LogsErrorsKeepTheirOutcome) {
  Lead();
  Log().fail_appends = base::UnknownOutcome(absl::StatusCode::kUnavailable, "sync failed");
  Produce(MakeBatch());
  EXPECT_EQ(base::OutcomeOf(results_.back().status()), base::Outcome::kUnknown);
  Log().fail_appends = absl::ResourceExhaustedError("disk full");
  Produce(MakeBatch());
  EXPECT_EQ(results_.back().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::OutcomeOf(results_.back().status()), base::Outcome::kRejected);
}

TEST_F(BrokerServiceTest, ProduceGoesOnPastTheDeadlineButLatestDoesNot) {
  Lead();
  within_deadline_ = false;
  Produce(MakeBatch(5));
  Log().Sync();
  EXPECT_TRUE(results_.back().ok());
  EXPECT_EQ(base::ReasonOf(Service().ListOffset({.id = Id()}, kLatestTimestamp).status()),
            "session_deadline");
  EXPECT_EQ(Service().ListOffset({.id = Id()}, kEarliestTimestamp)->offset, Offset(0));
  within_deadline_ = true;
  EXPECT_EQ(Service().ListOffset({.id = Id()}, kLatestTimestamp)->offset, Offset(5));
}

TEST_F(BrokerServiceTest, ListsByTimestamp) {
  Lead();
  Produce(MakeBatch(5));
  Log().Sync();
  EXPECT_EQ(Service().ListOffset({.id = Id()}, 1)->timestamp_ms, 1);
  EXPECT_EQ(Service().ListOffset({.id = Id()}, 2)->offset, Offset(5));
  EXPECT_EQ(Service().ListOffset({.id = Id()}, 2)->timestamp_ms, -1);
  EXPECT_FALSE(Service().ListOffset({.id = Id()}, -7).ok());
}

}  // namespace
}  // namespace bellwether::broker

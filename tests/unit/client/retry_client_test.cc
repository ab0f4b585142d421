#include <string>

#include "client/errors.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

// Against servers that keep the results of writes.
class RetryClientTest : public CoordClientTest {
 protected:
  void Attach(uint64_t generation, uint64_t last_sequence) {
    coord::v1::SessionResponse frame = AttachedFrame(generation, last_sequence);
    frame.mutable_attached()->set_results_kept(true);
    Deliver(frame);
  }
  std::vector<uint64_t> Floors() {
    std::vector<uint64_t> floors;
    for (const coord::v1::Request& request : Last().Requests()) {
      floors.push_back(request.acknowledged_floor());
    }
    return floors;
  }
};

TEST_F(RetryClientTest, WhatTookEffectIsSentAgainForItsResult) {
  Attach(1, 0);
  for (const char* value : {"w1", "w2", "w3", "w4"}) Set(value);
  Deliver(SetDone(1, 11, 1));
  Break();
  Attach(2, 3);
  EXPECT_THAT(Results(), ElementsAre("w1 ok"));
  EXPECT_THAT(Sent(), ElementsAre("w2/2", "w3/3"));
  EXPECT_THAT(Floors(), ElementsAre(2u, 2u));
  EXPECT_EQ(Last().Requests()[0].generation(), 2u);
  Deliver(SetDone(1, 12, 2));
  EXPECT_THAT(Sent(), ElementsAre("w2/2", "w3/3"));
  Deliver(SetDone(2, 13, 3));
  EXPECT_THAT(Sent(), ElementsAre("w2/2", "w3/3", "w4/4"));
  EXPECT_THAT(Floors(), ElementsAre(2u, 2u, 4u));
  Deliver(SetDone(3, 20, 4));
  EXPECT_THAT(Results(), ElementsAre("w1 ok", "w2 ok", "w3 ok", "w4 ok"));
}

TEST_F(RetryClientTest, EveryWriteSaysWhichResultsItHas) {
  Attach(1, 5);
  for (const char* value : {"w1", "w2"}) Set(value);
  Deliver(SetDone(1, 11, 1));
  Set("w3");
  EXPECT_THAT(Floors(), ElementsAre(6u, 6u, 7u));
}

TEST_F(RetryClientTest, AFailedWriteFailsTheSameWayWhenItIsAskedForAgain) {
  Attach(1, 0);
  Set("w1");
  Break();
  Attach(2, 1);
  Deliver(Failed(1, 11, absl::StatusCode::kNotFound, "no_node"));
  EXPECT_THAT(Results(), ElementsAre("w1 rejected"));
  EXPECT_EQ(ReasonOf(results_[0].second), "no_node");
  Set("w2");
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2"));
}

TEST_F(RetryClientTest, AForgottenResultIsUnknown) {
  Attach(1, 0);
  Set("w1");
  Set("w2");
  Break();
  Attach(2, 2);
  Deliver(Failed(1, 30, absl::StatusCode::kAborted, "result_forgotten",
                 common::v1::OUTCOME_UNKNOWN));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
  Deliver(SetDone(2, 12, 2));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown", "w2 ok"));
}

TEST_F(RetryClientTest, AnotherOperationsNumberIsUnknown) {
  Attach(1, 0);
  Set("w1");
  Break();
  Attach(2, 1);
  Deliver(Failed(1, 30, absl::StatusCode::kInvalidArgument, "sequence_reused"));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
}

// It took effect: that it can't be told now does not mean that nothing happened.
TEST_F(RetryClientTest, ARefusalIsAskedAgainInOrder) {
  Attach(1, 0);
  for (const char* value : {"w1", "w2", "w3"}) Set(value);
  Break();
  Attach(2, 2);
  Deliver(Failed(1, 0, absl::StatusCode::kResourceExhausted, "", common::v1::OUTCOME_UNKNOWN));
  Deliver(SetDone(2, 12, 2));  // it would overtake w1
  EXPECT_THAT(Results(), ElementsAre());
  executor_.Advance(absl::Milliseconds(60));
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2", "w1/1", "w2/2"));
  EXPECT_THAT(Floors(), ElementsAre(1u, 1u, 1u, 1u)) << "w1 is not told yet";
  Deliver(SetDone(3, 11, 1));
  Deliver(SetDone(4, 12, 2));
  EXPECT_THAT(Results(), ElementsAre("w1 ok", "w2 ok"));
  EXPECT_EQ(Sent().back(), "w3/3");
}

TEST_F(RetryClientTest, ARefusalForGoodIsUnknown) {
  Attach(1, 0);
  Set("w1");
  Break();
  Attach(2, 1);
  Deliver(Failed(1, 0, absl::StatusCode::kInvalidArgument, "too_large"));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
}

TEST_F(RetryClientTest, ConnectionsMayBeLostAgainAndAgain) {
  Attach(1, 0);
  for (const char* value : {"w1", "w2", "w3"}) Set(value);
  Break();
  Attach(2, 2);
  Deliver(SetDone(1, 11, 1));
  Break();
  Attach(3, 2);
  EXPECT_THAT(Sent(), ElementsAre("w2/2"));
  EXPECT_THAT(Floors(), ElementsAre(2u));
  Break();
  executor_.Advance(absl::Seconds(1));
  Attach(4, 2);
  Deliver(SetDone(1, 12, 2));
  EXPECT_THAT(Sent(), ElementsAre("w2/2", "w3/3"));
  Break();
  executor_.Advance(absl::Seconds(1));
  Attach(5, 3);
  Deliver(SetDone(1, 13, 3));
  EXPECT_THAT(Results(), ElementsAre("w1 ok", "w2 ok", "w3 ok"));
}

TEST_F(RetryClientTest, TheDeadlineOfWhatTookEffectMakesItUnknown) {
  Attach(1, 0);
  client_->Set("/a", "w1", kAnyVersion, {absl::Seconds(1)},
               [this](auto result) { results_.emplace_back("w1", result.status()); });
  Set("w2");
  Set("w3");
  Break();
  Attach(2, 2);
  Deliver(Failed(1, 0, absl::StatusCode::kUnavailable, "", common::v1::OUTCOME_UNKNOWN));
  Deliver(Failed(2, 0, absl::StatusCode::kUnavailable, "", common::v1::OUTCOME_UNKNOWN));
  Break();  // both wait
  executor_.Advance(absl::Seconds(1));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
  Attach(3, 2);
  EXPECT_THAT(Sent(), ElementsAre("w2/2"));
  Deliver(SetDone(1, 12, 2));
  EXPECT_THAT(Sent(), ElementsAre("w2/2", "w3/3"));
}

TEST_F(RetryClientTest, ADeadlineHoldsUpNothingBehindIt) {
  Attach(1, 0);
  client_->Set("/a", "w1", kAnyVersion, {absl::Seconds(1)},
               [this](auto result) { results_.emplace_back("w1", result.status()); });
  Set("w2");
  Break();
  Attach(2, 1);
  EXPECT_THAT(Sent(), ElementsAre("w1/1"));
  executor_.Advance(absl::Seconds(1));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
  Break();
  Attach(3, 1);
  EXPECT_THAT(Sent(), ElementsAre("w2/2"));
  EXPECT_THAT(Floors(), ElementsAre(2u));
}

TEST_F(RetryClientTest, ExpiryOfTheSessionMakesWhatTookEffectUnknown) {
  Attach(1, 0);
  Set("w1");
  Break();
  Attach(2, 1);
  Break();
  coord::v1::SessionResponse refused;
  SetError(absl::StatusCode::kNotFound, "session_expired", common::v1::OUTCOME_REJECTED,
           *refused.mutable_attached()->mutable_error());
  executor_.Advance(absl::Seconds(1));
  Deliver(refused);
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
}

TEST_F(RetryClientTest, ReadsKeepTheirPlaceAmongWhatIsAskedForAgain) {
  Attach(1, 0);
  Get("r1");
  Set("w1");
  Get("r2");
  Set("w2");
  Break();
  Attach(2, 1);
  EXPECT_THAT(Sent(), ElementsAre("get", "w1/1", "get"));
  Deliver(GetDone(1, 20, "v"));
  Deliver(SetDone(2, 11, 1));
  Deliver(GetDone(3, 20, "v"));
  EXPECT_THAT(Sent(), ElementsAre("get", "w1/1", "get", "w2/2"));
  Deliver(SetDone(4, 21, 2));
  EXPECT_THAT(Results(), ElementsAre("r1 ok", "w1 ok", "r2 ok", "w2 ok"));
}

}  // namespace
}  // namespace bellwether::client

#include "coord/service/digest_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;

StatePoint At(uint64_t index, uint64_t digest) {
  return {LogIndex(index), tree::Zxid(static_cast<int64_t>(index)), digest};
}

TEST(StatePoint, IsReadAsItWasWritten) {
  const std::optional<StatePoint> point = DecodeStatePoint(EncodeStatePoint(At(7, 0xabc)));
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->index, LogIndex(7));
  EXPECT_EQ(point->zxid, tree::Zxid(7));
  EXPECT_EQ(point->digest, 0xabcu);
  EXPECT_FALSE(DecodeStatePoint("").has_value());
  EXPECT_FALSE(DecodeStatePoint(EncodeStatePoint(At(7, 1)) + "x").has_value());
}

TEST(DigestCheck, FindsWhatItRecordedBefore) {
  DigestCheck check;
  for (uint64_t i = 1; i <= 10; ++i) check.Record(At(i, i * 100));
  check.Expect(At(4, 400));
  EXPECT_TRUE(check.status().ok());
  EXPECT_EQ(check.compared(), 1u);
  check.Expect(At(5, 400));
  EXPECT_TRUE(absl::IsDataLoss(check.status()));
  EXPECT_THAT(check.status().message(), HasSubstr("log entry 5"));
}

TEST(DigestCheck, WaitsForAPointYetToCome) {
  DigestCheck check;
  check.Record(At(1, 100));
  check.Expect(At(3, 300));
  check.Record(At(2, 200));
  EXPECT_EQ(check.compared(), 0u);
  check.Record(At(3, 301));
  EXPECT_EQ(check.compared(), 1u);
  EXPECT_FALSE(check.status().ok());
}

TEST(DigestCheck, KnowsTheStateAtEntriesWithoutCommands) {
  DigestCheck check;
  check.Record(At(1, 100));
  StatePoint noop = At(1, 100);
  noop.index = LogIndex(2);
  check.Expect(noop);  // is awaited: entry 2 may yet come
  EXPECT_EQ(check.compared(), 0u);
  check.Record(At(3, 300));
  EXPECT_EQ(check.compared(), 1u);
  check.Expect(noop);
  EXPECT_EQ(check.compared(), 2u);
  EXPECT_TRUE(check.status().ok());
}

TEST(DigestCheck, ForgetsTheOldestAndComparesNothingWithThem) {
  DigestCheck check(4);
  for (uint64_t i = 1; i <= 10; ++i) check.Record(At(i, i * 100));
  check.Expect(At(6, 1));
  EXPECT_EQ(check.compared(), 0u);
  check.Expect(At(7, 700));
  check.Expect(At(10, 1000));
  EXPECT_EQ(check.compared(), 2u);
  EXPECT_TRUE(check.status().ok());
}

TEST(DigestCheck, AReplacedStateSaysNothingOfThePast) {
  DigestCheck check;
  check.Record(At(1, 100));
  check.Expect(At(5, 500));
  check.Restart(At(8, 800));
  EXPECT_EQ(check.compared(), 0u);
  check.Expect(At(3, 1));
  EXPECT_EQ(check.compared(), 0u);
  check.Expect(At(8, 800));
  EXPECT_EQ(check.compared(), 1u);
  EXPECT_TRUE(check.status().ok());
}

using DigestExchangeTest = ServiceTest;

TEST_F(DigestExchangeTest, TheLeaderSaysItsStateEveryInterval) {
  auto client = Connect();
  client->Create("/a");
  Settle();
  const size_t before = log_.broadcasts().size();
  service_->OnTick(absl::Milliseconds(10));
  EXPECT_EQ(log_.broadcasts().size(), before) << "too early";
  scheduler_.RunFor(options_.digest_interval);
  service_->OnTick(absl::Milliseconds(10));
  ASSERT_EQ(log_.broadcasts().size(), before + 1);
  const std::optional<StatePoint> said = DecodeStatePoint(log_.broadcasts().back());
  ASSERT_TRUE(said.has_value());
  EXPECT_EQ(said->index, service_->Status().applied_index);
  EXPECT_EQ(said->digest, service_->Status().digest);
}

TEST_F(DigestExchangeTest, AServerThatDiffersStops) {
  Connect();
  const ServiceStatus status = service_->Status();
  service_->OnBroadcast(EncodeStatePoint({status.applied_index, status.zxid, status.digest}));
  EXPECT_TRUE(fatal_.ok());
  service_->OnBroadcast(EncodeStatePoint({status.applied_index, status.zxid, status.digest + 1}));
  EXPECT_TRUE(absl::IsDataLoss(fatal_));
  EXPECT_NE(service_->NotReadyReason(), "");
}

TEST_F(DigestExchangeTest, AServerThatDiffersLaterAppliesNothingMore) {
  auto client = Connect();
  const ServiceStatus before = service_->Status();
  const LogIndex next = before.applied_index + 1;
  service_->OnBroadcast(EncodeStatePoint({next, before.zxid + 1, 1}));
  EXPECT_TRUE(fatal_.ok());
  client->Create("/a");
  Settle();
  EXPECT_TRUE(absl::IsDataLoss(fatal_));
  client->Create("/b");
  Settle();
  EXPECT_EQ(service_->Status().applied_index, next);
}

}  // namespace
}  // namespace bellwether::coord

#include "client/producer_batches.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

class PartitionBatchesTest : public ::testing::Test {
 protected:
  absl::Status Append(const std::string& value, absl::Duration now) {
    Producer::Done done = [](const absl::StatusOr<RecordLocation>&) {};
    const absl::Status status = batches_.Append({.value = value}, value.size(), now, done);
    EXPECT_EQ(done == nullptr, status.ok());  // moved from only on success
    return status;
  }

  PartitionBatches batches_{{.bytes_max = 300}, absl::Seconds(10)};
};

TEST_F(PartitionBatchesTest, FinishesABatchThatARecordDoesNotFitInAndKeepsTheOrder) {
  const std::string value(100, 'v');
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append(value, absl::Seconds(i)).ok());
  EXPECT_EQ(batches_.waiting(), 2u);
  EXPECT_TRUE(batches_.has_open());
  ProducerBatch first = batches_.TakeFirst();
  EXPECT_EQ(first.records.size(), 2u);
  EXPECT_EQ(first.buffered_bytes, 200u);
  EXPECT_EQ(first.deadline, absl::Seconds(10));  // of its oldest record
  EXPECT_EQ(batches_.first_deadline(), absl::Seconds(12));
  batches_.PutBack(std::move(first));
  EXPECT_EQ(batches_.first_deadline(), absl::Seconds(10));
  std::vector<size_t> sizes;
  for (const ProducerBatch& batch : batches_.TakeAll()) sizes.push_back(batch.records.size());
  EXPECT_THAT(sizes, ::testing::ElementsAre(2, 2, 1));
  EXPECT_FALSE(batches_.has_open() || batches_.has_waiting());
}

TEST_F(PartitionBatchesTest, ARecordTooLargeForAnyBatchChangesNothing) {
  ASSERT_TRUE(Append("small", absl::ZeroDuration()).ok());
  EXPECT_EQ(Append(std::string(400, 'v'), absl::ZeroDuration()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(batches_.waiting(), 0u);
  ASSERT_TRUE(batches_.FinishOpen().ok());
  EXPECT_EQ(batches_.TakeFirst().records.size(), 1u);
  EXPECT_TRUE(batches_.FinishOpen().ok());  // nothing to finish
  EXPECT_FALSE(batches_.has_waiting());
}

}  // namespace
}  // namespace bellwether::client

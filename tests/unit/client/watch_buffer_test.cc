#include "client/watch_buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace bellwether::client {
namespace {

WatchBatch BatchOf(size_t data_bytes, int64_t zxid = 1) {
  WatchBatch batch;
  batch.zxid = Zxid(zxid);
  batch.changes.push_back(
      {WatchEventType::kChanged, "/a", std::string(data_bytes, 'x'), Stat()});
  return batch;
}

TEST(WatchBuffer, GivesBatchesInOrder) {
  WatchBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.Push(BatchOf(1, 1)));
  EXPECT_FALSE(buffer.Push(BatchOf(1, 2)));
  EXPECT_EQ(buffer.Pop().zxid, Zxid(1));
  EXPECT_EQ(buffer.Pop().zxid, Zxid(2));
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.TakeResume()) << "it was never full";
}

TEST(WatchBuffer, IsFullByBatches) {
  WatchBuffer buffer;
  for (size_t i = 1; i < WatchBuffer::kBatchesMax; ++i) ASSERT_FALSE(buffer.Push(BatchOf(1)));
  EXPECT_TRUE(buffer.Push(BatchOf(1)));
}

TEST(WatchBuffer, IsFullByBytes) {
  WatchBuffer buffer;
  for (int i = 0; i < 15; ++i) ASSERT_FALSE(buffer.Push(BatchOf(size_t{1} << 20)));
  EXPECT_TRUE(buffer.Push(BatchOf(size_t{1} << 20)));
}

TEST(WatchBuffer, CountsPathsOfChangesWithoutData) {
  WatchBuffer buffer;
  WatchBatch deletions;
  for (int i = 0; i < 16; ++i) {
    deletions.changes.push_back(
        {WatchEventType::kDeleted, std::string(size_t{1} << 20, 'p'), std::nullopt, Stat()});
  }
  EXPECT_TRUE(buffer.Push(std::move(deletions)));
}

TEST(WatchBuffer, ALargerBatchPassesAlone) {
  WatchBuffer buffer;
  EXPECT_TRUE(buffer.Push(BatchOf(WatchBuffer::kBytesMax + 1)));
  EXPECT_EQ(buffer.Pop().changes[0].data->size(), WatchBuffer::kBytesMax + 1);
  EXPECT_TRUE(buffer.TakeResume());
}

TEST(WatchBuffer, ResumesOnceWhenAllIsRead) {
  WatchBuffer buffer;
  buffer.Push(BatchOf(WatchBuffer::kBytesMax / 2));
  EXPECT_TRUE(buffer.Push(BatchOf(WatchBuffer::kBytesMax / 2)));
  buffer.Pop();
  EXPECT_FALSE(buffer.TakeResume());
  buffer.Pop();
  EXPECT_TRUE(buffer.TakeResume());
  EXPECT_FALSE(buffer.TakeResume());
  EXPECT_FALSE(buffer.Push(BatchOf(WatchBuffer::kBytesMax / 2))) << "what was read is not counted";
}

}  // namespace
}  // namespace bellwether::client

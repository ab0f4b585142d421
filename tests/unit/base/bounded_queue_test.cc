#include "base/bounded_queue.h"

#include <memory>

#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool TryPush(BoundedQueue<int>& queue, int item, size_t bytes = 1) {
  return queue.TryPush(item, bytes);
}

TEST(BoundedQueue, IsFirstInFirstOut) {
  BoundedQueue<int> queue(10, 10);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(TryPush(queue, i));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_THAT(queue.PopAll(), ElementsAre(2, 3));
}

TEST(BoundedQueue, BoundsItemsAndBytes) {
  BoundedQueue<int> by_items(2, 100);
  EXPECT_TRUE(TryPush(by_items, 1) && TryPush(by_items, 2));
  EXPECT_FALSE(TryPush(by_items, 3));
  BoundedQueue<int> by_bytes(100, 10);
  EXPECT_TRUE(TryPush(by_bytes, 1, 6) && TryPush(by_bytes, 2, 4));
  EXPECT_FALSE(TryPush(by_bytes, 3, 1));
  by_bytes.Pop();
  EXPECT_TRUE(TryPush(by_bytes, 3, 6));
}

TEST(BoundedQueue, AnOversizedItemPassesWhenEmpty) {
  BoundedQueue<int> queue(10, 10);
  EXPECT_TRUE(TryPush(queue, 1, 1000));
  EXPECT_FALSE(TryPush(queue, 2, 1));
}

TEST(BoundedQueue, ARefusedItemStaysWithItsOwner) {
  BoundedQueue<std::unique_ptr<int>> queue(1, 10);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  EXPECT_TRUE(queue.TryPush(first, 1));
  EXPECT_FALSE(queue.TryPush(second, 1));
  EXPECT_EQ(first, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueue, ClosedItGivesOutTheRestAndTakesNothing) {
  BoundedQueue<int> queue(10, 10);
  TryPush(queue, 1);
  queue.Close();
  EXPECT_FALSE(TryPush(queue, 2));
  EXPECT_FALSE(queue.Push(2, 1));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), std::nullopt);
  EXPECT_THAT(queue.PopAll(), IsEmpty());
}

TEST(BoundedQueue, PassesEverythingBetweenThreads) {
  constexpr int kItems = 5000;
  BoundedQueue<int> queue(3, 1000);
  std::vector<int> received;
  {
    Thread producer("producer", [&queue] {
      for (int i = 0; i < kItems; ++i) queue.Push(i, 1);
      queue.Close();
    });
    while (const auto item = queue.Pop()) received.push_back(*item);
  }
  ASSERT_EQ(received.size(), kItems);
  for (int i = 0; i < kItems; ++i) EXPECT_EQ(received[i], i);
}

TEST(BoundedQueue, CloseWakesWhoWaitsForRoom) {
  BoundedQueue<int> queue(1, 10);
  TryPush(queue, 1);
  bool pushed = true;
  {
    Thread producer("producer", [&] { pushed = queue.Push(2, 1); });
    queue.Close();
  }
  EXPECT_FALSE(pushed);
}

}  // namespace
}  // namespace bellwether::base

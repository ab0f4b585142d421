#include "base/ring.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

std::vector<int> ItemsOf(const Ring<int>& ring) { return {ring.begin(), ring.end()}; }

TEST(Ring, TakesNoMemoryBeforeTheFirstItem) {
  const Ring<std::string> ring;
  EXPECT_EQ(ring.capacity(), 0u);
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.begin() == ring.end());
}

TEST(Ring, KeepsTheOrderWhenItGrowsAroundItsEnd) {
  Ring<int> ring;
  for (int i = 0; i < 6; ++i) ring.push_back(i);
  ring.pop_front(5);
  for (int i = 6; i < 30; ++i) ring.push_back(i);
  EXPECT_EQ(ring.size(), 25u);
  EXPECT_EQ(ring.front(), 5);
  EXPECT_EQ(ring.back(), 29);
  for (size_t i = 0; i < ring.size(); ++i) EXPECT_EQ(ring[i], static_cast<int>(i) + 5);
}

TEST(Ring, ErasesItemsInItsMiddle) {
  Ring<int> ring;
  for (int i = 0; i < 7; ++i) ring.push_back(i);
  ring.pop_front();
  ring.EraseIf([](int item) { return item % 2 == 0; });
  EXPECT_EQ(ItemsOf(ring), (std::vector<int>{1, 3, 5}));
  ring.EraseIf([](int) { return true; });
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, GivesItsMemoryBackWhenItEmpties) {
  Ring<std::string> ring;
  for (int i = 0; i < 60; ++i) ring.emplace_back("request");
  EXPECT_GE(ring.capacity(), 60u);
  ring.pop_front(60);
  EXPECT_EQ(ring.capacity(), 0u);
  ring.emplace_back("request");
  ring.clear();
  EXPECT_EQ(ring.capacity(), 0u);
}

TEST(Ring, AllocatesAtOnceWhatItNeededLast) {
  Ring<std::string> ring;
  for (int i = 0; i < 60; ++i) ring.emplace_back("request");
  const size_t capacity = ring.capacity();
  ring.pop_front(60);
  ring.emplace_back("ping");
  EXPECT_EQ(ring.capacity(), capacity);
  ring.pop_front();
  ring.emplace_back("ping");
  EXPECT_EQ(ring.capacity(), capacity / 2) << "less when that was too much";
}

TEST(Ring, DoesNotExpectVeryMuchBecauseItHadThatOnce) {
  Ring<std::string> ring;
  for (int i = 0; i < 100'000; ++i) ring.emplace_back("event");
  ring.pop_front(100'000);
  ring.emplace_back("event");
  EXPECT_LE(ring.capacity() * sizeof(std::string), Ring<std::string>::kExpectedBytesMax);
}

TEST(Ring, DestroysEachItemOnce) {
  const auto item = std::make_shared<int>(1);
  {
    Ring<std::shared_ptr<int>> ring;
    for (int i = 0; i < 20; ++i) ring.push_back(item);
    EXPECT_EQ(item.use_count(), 21);
    ring.pop_front(3);
    ring.EraseIf([i = 0](const auto&) mutable { return i++ < 4; });
    EXPECT_EQ(item.use_count(), 14);
    ring.clear();
    EXPECT_EQ(item.use_count(), 1);
    ring.push_back(item);
  }
  EXPECT_EQ(item.use_count(), 1);
}

TEST(Ring, DoesWhatADequeDoes) {
  Random random(7);
  Ring<std::string> ring;
  std::deque<std::string> expected;
  for (int step = 0; step < 20'000; ++step) {
    if (expected.empty() || random.Chance(step / 1'000 % 2 == 0 ? 0.6 : 0.4)) {
      ring.push_back(std::to_string(step));
      expected.push_back(std::to_string(step));
    } else {
      ASSERT_EQ(ring.front(), expected.front());
      ring.pop_front();
      expected.pop_front();
    }
    ASSERT_EQ(ring.size(), expected.size());
    if (!expected.empty()) {
      const size_t any = random.Below(expected.size());
      ASSERT_EQ(ring[any], expected[any]);
    }
  }
}

}  // namespace
}  // namespace bellwether::base

#include "coord/tree/cow_map.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "base/thread.h"
#include "coord/tree/compact_string.h"
#include "gtest/gtest.h"

namespace bellwether::coord::tree {
namespace {

using Map = CowMap<CompactString, std::string>;
using Model = std::map<std::string, std::string>;

// Short keys and keys for the heap, few enough to meet.
std::string KeyOf(uint64_t number) {
  return std::to_string(number) + std::string(number % 3 == 0 ? 20 : 0, 'k');
}

void ExpectSame(const Map& map, const Model& model) {
  map.CheckInvariants();
  ASSERT_EQ(map.size(), model.size());
  ASSERT_EQ(map.empty(), model.empty());
  auto expected = model.begin();
  for (const Map::Entry& entry : map) {
    ASSERT_EQ(entry.key.view(), expected->first);
    ASSERT_EQ(entry.value, expected->second);
    ++expected;
  }
  if (!model.empty()) {
    ASSERT_EQ(map.Last().key.view(), model.rbegin()->first);
  }
}

void ExpectSameLookups(const Map& map, const Model& model, const std::string& key) {
  const std::string* const found = map.Find(std::string_view(key));
  const auto expected = model.find(key);
  ASSERT_EQ(found != nullptr, expected != model.end());
  if (found != nullptr) {
    ASSERT_EQ(*found, expected->second);
  }
  const auto bound = map.LowerBound(std::string_view(key));
  const auto expected_bound = model.lower_bound(key);
  ASSERT_EQ(bound == map.end(), expected_bound == model.end());
  if (expected_bound != model.end()) {
    ASSERT_EQ(bound->key.view(), expected_bound->first);
  }
}

// A map with the copies that were taken of it, each beside what it must hold for ever.
class Driver {
 public:
  explicit Driver(uint64_t seed) : random_(seed) {}

  void Step(uint64_t keys, double insert_share) {
    const std::string key = KeyOf(random_.Below(keys));
    const std::string value = std::to_string(random_.Below(1000));
    const bool present = model_.contains(key);
    if (present && random_.Chance(0.3)) {
      map_.Mutable(std::string_view(key)) = value;
      model_[key] = value;
    } else if (!present && random_.Chance(insert_share)) {
      map_.Insert(CompactString(key), value);
      model_[key] = value;
    } else if (present && !random_.Chance(insert_share)) {
      ASSERT_EQ(map_.Remove(std::string_view(key)), model_[key]);
      model_.erase(key);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectSameLookups(map_, model_, KeyOf(random_.Below(keys))));
  }

  void TakeOrDropACopy() {
    if (copies_.size() > 5) copies_.erase(copies_.begin() + random_.Below(copies_.size()));
    copies_.emplace_back(map_, model_);
    // Now and then an old copy is where changes go on.
    if (random_.Chance(0.1)) std::tie(map_, model_) = copies_[random_.Below(copies_.size())];
  }

  void ExpectAllAsTheyWere() const {
    ASSERT_NO_FATAL_FAILURE(ExpectSame(map_, model_));
    for (const auto& [map, model] : copies_) ASSERT_NO_FATAL_FAILURE(ExpectSame(map, model));
  }

 private:
  base::Random random_;
  Map map_;
  Model model_;
  std::vector<std::pair<Map, Model>> copies_;
};

class CowMapProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(CowMapProperty, MapAndItsCopiesDoWhatStdMapDoes) {
  Driver driver(GetParam());
  const uint64_t keys = GetParam() % 2 == 0 ? 100 : 1500;
  for (const double insert_share : {0.9, 0.5, 0.05, 0.8, 0.0}) {
    for (int i = 1; i <= 700; ++i) {
      ASSERT_NO_FATAL_FAILURE(driver.Step(keys, insert_share));
      if (i % 60 == 0) driver.TakeOrDropACopy();
    }
    ASSERT_NO_FATAL_FAILURE(driver.ExpectAllAsTheyWere());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CowMapProperty, testing::Range<uint64_t>(1, 9));

using Numbers = CowMap<uint64_t, uint64_t>;

TEST(CowMap, GrowsInAnyOrderAndShrinksToNothing) {
  constexpr uint64_t kCount = 4000;
  for (const uint64_t step : {1, 3999, 1237}) {  // ascending, descending, mixed
    Numbers map;
    for (uint64_t i = 0, key = step == 1 ? 0 : 1; i < kCount; ++i) {
      map.Insert(key, key + 1);
      key = (key + step) % kCount;
    }
    map.CheckInvariants();
    ASSERT_EQ(map.size(), kCount);
    for (uint64_t i = 0; i < kCount; ++i) ASSERT_EQ(*map.Find(i), i + 1);
    for (uint64_t i = 0, key = 0; i < kCount; ++i) {
      ASSERT_EQ(map.Remove(key), key + 1);
      key = (key + step) % kCount;
      if (i % 500 == 0) map.CheckInvariants();
    }
    ASSERT_TRUE(map.empty());
    ASSERT_TRUE(map.begin() == map.end());
  }
}

TEST(CowMap, AppendsAndThenTakesInsertsAnywhere) {
  Numbers map;
  for (uint64_t key = 0; key < 3000; ++key) map.Append(2 * key, key);
  map.CheckInvariants();
  for (uint64_t key = 0; key < 3000; key += 7) map.Insert(2 * key + 1, key);
  map.CheckInvariants();
  EXPECT_EQ(*map.Find(uint64_t{4200}), 2100u);
  EXPECT_EQ(*map.Find(uint64_t{4201}), 2100u);
}

// An inner node whose first leaf went away takes smaller keys than its first branch says, and
// still has them when it becomes one with its left neighbour.
TEST(CowMap, KeepsSmallKeysOfAnInnerNodeThatIsMerged) {
  constexpr uint64_t kLeaf = 32 * 10;      // what a full leaf spans
  constexpr uint64_t kInner = 32 * kLeaf;  // and a full node of leaves
  Numbers map;
  for (uint64_t key = 0; key < 3 * kInner; key += 10) map.Append(key, key);
  for (uint64_t key = kInner; key < kInner + kLeaf; key += 10) map.Remove(key);
  const uint64_t small = kInner + 5;
  map.Insert(small, small);
  for (uint64_t key = kLeaf; key < kInner; key += 10) map.Remove(key);
  for (uint64_t key = kInner + 2 * kLeaf; key < 2 * kInner; key += 10) map.Remove(key);
  map.CheckInvariants();
  ASSERT_NE(map.Find(small), nullptr);
  EXPECT_EQ(map.Remove(small), small);
}

// Counts how often it is copied.
struct Counted {
  explicit Counted(int* copied) : copies(copied) {}
  Counted(const Counted& other) : copies(other.copies) { ++*copies; }
  Counted(Counted&&) = default;
  Counted& operator=(Counted&&) = default;
  Counted& operator=(const Counted&) = delete;

  int* copies;
};

TEST(CowMap, CopiesNothingThatIsNotShared) {
  int copies = 0;
  CowMap<uint64_t, Counted> map;
  for (uint64_t key = 0; key < 5000; ++key) map.Insert(key * 1237 % 5000, Counted(&copies));
  for (uint64_t key = 0; key < 5000; ++key) map.Mutable(key);
  for (uint64_t key = 0; key < 5000; key += 2) map.Remove(key);
  EXPECT_EQ(copies, 0);
}

TEST(CowMap, FirstChangeAfterACopyCopiesOneLeaf) {
  int copies = 0;
  CowMap<uint64_t, Counted> map;
  for (uint64_t key = 0; key < 5000; ++key) map.Insert(key, Counted(&copies));
  const auto view = map;
  EXPECT_EQ(copies, 0);
  map.Mutable(uint64_t{2500});
  EXPECT_GT(copies, 0);
  EXPECT_LE(copies, 32);
  const int after_first = copies;
  map.Mutable(uint64_t{2500});
  EXPECT_EQ(copies, after_first);
}

// For ThreadSanitizer: views are read, copied and dropped on another thread while the map goes on.
TEST(CowMap, ViewsMayBeUsedOnOtherThreads) {
  base::Mutex mutex;
  std::vector<Map> handed_over;
  std::atomic<bool> done = false;
  uint64_t views_read = 0;
  uint64_t torn = 0;
  base::Thread reader("reader", [&] {
    for (bool last = false; !last;) {
      last = done;
      std::vector<Map> views;
      {
        base::MutexLock lock(mutex);
        views.swap(handed_over);
      }
      for (const Map& view : views) {
        const Map again = view;
        // All values of one view are the same.
        for (const Map::Entry& entry : again) {
          if (entry.value != again.begin()->value) ++torn;
        }
        ++views_read;
      }
    }
  });
  Map map;
  for (uint64_t key = 0; key < 300; ++key) map.Insert(CompactString(KeyOf(key)), "0");
  for (uint64_t round = 1; round <= 20; ++round) {
    for (uint64_t key = 0; key < 300; ++key) {
      map.Mutable(std::string_view(KeyOf(key))) = std::to_string(round);
    }
    map.Remove(std::string_view(KeyOf(round)));
    base::MutexLock lock(mutex);
    if (handed_over.size() < 4) handed_over.push_back(map);
    map.Insert(CompactString(KeyOf(round)), "x");
  }
  done = true;
  reader.Join();
  EXPECT_GE(views_read, 1u);
  EXPECT_EQ(torn, 0u);
}

}  // namespace
}  // namespace bellwether::coord::tree

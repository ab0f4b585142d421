#include "broker/metadata/placement.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace bellwether::broker {
namespace {

std::vector<BrokerLoad> RandomBrokers(base::Random& random) {
  std::vector<BrokerLoad> brokers(random.Between(1, 9));
  for (size_t i = 0; i < brokers.size(); ++i) {
    brokers[i] = {.id = BrokerId(static_cast<int32_t>(i * 3)), .leaders = random.Between(0, 20)};
  }
  return brokers;
}

TEST(Placement, SpreadsEachTopicEvenly) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    base::Random random(seed);
    const auto brokers = RandomBrokers(random);
    const auto partitions = static_cast<int32_t>(random.Between(0, 40));
    std::map<BrokerId, int64_t> counts;
    for (const BrokerLoad& broker : brokers) counts[broker.id] = 0;
    const auto placed = PlacePartitions(brokers, partitions, seed);
    ASSERT_EQ(placed.size(), static_cast<size_t>(partitions));
    for (const BrokerId id : placed) {
      ASSERT_TRUE(counts.contains(id)) << "seed " << seed;
      ++counts[id];
    }
    int64_t least = partitions, most = 0;
    for (const auto& [id, count] : counts) {
      least = std::min(least, count);
      most = std::max(most, count);
    }
    EXPECT_LE(most - least, 1) << "seed " << seed;
  }
}

TEST(Placement, RemainderGoesToTheLeastLoaded) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    base::Random random(seed);
    const auto brokers = RandomBrokers(random);
    const auto partitions = static_cast<int32_t>(random.Below(brokers.size()));
    const auto placed = PlacePartitions(brokers, partitions, seed);
    const std::set<BrokerId> chosen(placed.begin(), placed.end());
    for (const BrokerLoad& in : brokers) {
      for (const BrokerLoad& out : brokers) {
        if (!chosen.contains(in.id) || chosen.contains(out.id)) continue;
        EXPECT_LE(in.leaders, out.leaders) << "seed " << seed;
      }
    }
  }
}

TEST(Placement, ManySmallTopicsEndBalanced) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    base::Random random(seed);
    auto brokers = RandomBrokers(random);
    for (BrokerLoad& broker : brokers) broker.leaders = 0;
    for (int topic = 0; topic < 100; ++topic) {
      const auto partitions = static_cast<int32_t>(random.Between(1, 5));
      for (const BrokerId id : PlacePartitions(brokers, partitions, random.Next())) {
        for (BrokerLoad& broker : brokers) broker.leaders += broker.id == id ? 1 : 0;
      }
    }
    const auto [least, most] = std::minmax_element(
        brokers.begin(), brokers.end(),
        [](const BrokerLoad& a, const BrokerLoad& b) { return a.leaders < b.leaders; });
    EXPECT_LE(most->leaders - least->leaders, 1) << "seed " << seed;
  }
}

TEST(Placement, SameSeedSamePlaces) {
  const std::vector<BrokerLoad> brokers = {{BrokerId(1), 0}, {BrokerId(2), 0}, {BrokerId(3), 0}};
  std::set<BrokerId> first;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto placed = PlacePartitions(brokers, 4, seed);
    EXPECT_EQ(placed, PlacePartitions(brokers, 4, seed));
    first.insert(placed[0]);
  }
  EXPECT_EQ(first.size(), 3u) << "the seed decides between equals";
}

}  // namespace
}  // namespace bellwether::broker

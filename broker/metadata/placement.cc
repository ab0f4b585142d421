#include "broker/metadata/placement.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/random.h"

namespace bellwether::broker {

std::vector<BrokerLoad> LoadsOf(const ClusterView& view) {
  std::map<BrokerId, int64_t> leaders;
  for (const auto& [id, broker] : *view.brokers()) leaders[id] = 0;
  view.topics().ForEach([&leaders](const std::string&, const auto& topic) {
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      const Partition& partition = *topic->partitions[p];
      if (partition.replicas.empty()) continue;
      const auto it = leaders.find(partition.replicas.front());
      if (it != leaders.end()) ++it->second;
    }
  });
  std::vector<BrokerLoad> loads;
  for (const auto& [id, count] : leaders) loads.push_back({.id = id, .leaders = count});
  return loads;
}

std::vector<BrokerId> PlacePartitions(std::vector<BrokerLoad> brokers, int32_t partitions,
                                      uint64_t seed) {
  CHECK(!brokers.empty() && partitions >= 0);
  base::Random random(seed);
  for (size_t i = brokers.size() - 1; i > 0; --i) {
    std::swap(brokers[i], brokers[random.Below(i + 1)]);
  }
  std::stable_sort(brokers.begin(), brokers.end(), [](const BrokerLoad& a, const BrokerLoad& b) {
    return a.leaders < b.leaders;
  });
  std::vector<BrokerId> placed;
  placed.reserve(partitions);
  for (int32_t p = 0; p < partitions; ++p) placed.push_back(brokers[p % brokers.size()].id);
  return placed;
}

}  // namespace bellwether::broker

#pragma once

#include <cstdint>
#include <vector>

#include "broker/metadata/cluster_view.h"
#include "broker/metadata/ids.h"

namespace bellwether::broker {

// A broker that may be given partitions, and what it has.
struct BrokerLoad {
  BrokerId id;
  int64_t leaders = 0;  // partitions that prefer it as leader
};

// Registered brokers with their loads, by id.
std::vector<BrokerLoad> LoadsOf(const ClusterView& view);

// Assigns `partitions` new partitions of one topic, one replica each. The topic is spread evenly
// (no broker gets two more than another), and what can't be divided goes to the brokers with the
// fewest leaders; `seed` decides between equals. Pure: the same arguments give the same answer.
// Requires: brokers not empty, partitions >= 0.
std::vector<BrokerId> PlacePartitions(std::vector<BrokerLoad> brokers, int32_t partitions,
                                      uint64_t seed);

}  // namespace bellwether::broker

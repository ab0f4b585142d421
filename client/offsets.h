#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/broker_channel.h"
#include "client/broker_types.h"

namespace bellwether::client {

// Address of a partition's leader. Errors: UNAVAILABLE, reason "partition_offline".
absl::StatusOr<std::string> LeaderAddress(const ClusterInfo& cluster, const TopicInfo& topic,
                                          const PartitionInfo& partition);

// Whether every partition has the same leader in the same epoch.
bool SameLeaders(const TopicInfo& a, const TopicInfo& b);

// What names a partition and the leadership one knows in requests.
broker::v1::PartitionRef RefOf(const TopicInfo& topic, const PartitionInfo& partition);

// Asks each leader once, all at the same time, for offsets of its partitions of `topic`. `done`
// gets one answer per partition, in their order. Runs on the connector's executor.
void AskOffsets(BrokerConnector& connector, const ClusterInfo& cluster, const TopicInfo& topic,
                int64_t timestamp_ms, absl::Duration timeout,
                absl::AnyInvocable<void(std::vector<absl::StatusOr<PartitionOffsets>>)> done);

}  // namespace bellwether::client

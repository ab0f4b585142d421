#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "broker/metadata/cluster_view.h"
#include "client/coord_types.h"

// Topic creation and deletion as one transaction each, from a view. Any broker does them; the
// controller then gives new partitions their leaders. Pure.
namespace bellwether::broker {

struct TopicSpec {
  std::string name;
  int32_t partitions = 1;   // 1 to 10,000
  int32_t replication = 0;  // 0: the default, 1
  ClusterView::Configs configs;
};

// INVALID_ARGUMENT for a bad name, count or config; FAILED_PRECONDITION for a replication that
// can't be had.
absl::Status ValidateTopicSpec(const TopicSpec& spec);

// Assignment, topic id and configs at once. `seed` places. Errors: those of ValidateTopicSpec;
// ALREADY_EXISTS; UNAVAILABLE without a registered broker.
absl::StatusOr<client::Transaction> CreationOf(const ClusterView& view, const TopicSpec& spec,
                                               base::Uuid topic_id, uint64_t seed);

// Removes the topic and its configs, and leaves a deletion record that names its id and the
// brokers assigned to it, so that they delete their data. Fails in coord when the view is behind,
// as when a partition has got its first state meanwhile. Errors: NOT_FOUND; FAILED_PRECONDITION
// when the assignment can't be read, so that nobody knows whose data to delete.
absl::StatusOr<client::Transaction> DeletionOf(const ClusterView& view, std::string_view name);

// What a broker writes when it has no data of that topic (any more). Requires: it is pending.
client::Transaction ConfirmationOf(const DeletionRecord& record, BrokerId self);

// Whether every partition of the topic has a leader.
bool HasAllLeaders(const ClusterView& view, base::Uuid topic_id);

}  // namespace bellwether::broker

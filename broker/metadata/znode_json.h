#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "broker/metadata/cluster_view.h"
#include "client/coord_types.h"

// The JSON of every znode that brokers write, in one place. Decoders take what anybody may have
// written: whatever they can't use is an INVALID_ARGUMENT that says which field, never a crash.
// Encoders put back the unknown fields that the decoder found (see `unknown_fields`), so that an
// older broker doesn't strip what a newer one wrote.
namespace bellwether::broker {

// Assignment of a topic: content of /brokers/topics/<t>.
struct TopicAssignment {
  base::Uuid topic_id;
  std::vector<std::vector<BrokerId>> replicas;  // per partition, from 0; none is empty
};

inline constexpr int32_t kPartitionsMax = 10000;  // per topic

// Epoch, session and id come from the znode, not from its content.
std::string EncodeBroker(const Broker& broker);
absl::StatusOr<Broker> DecodeBroker(std::string_view json, const client::Stat& stat, BrokerId id);

std::string EncodeAssignment(const TopicAssignment& assignment);
absl::StatusOr<TopicAssignment> DecodeAssignment(std::string_view json);

std::string EncodePartitionState(const PartitionState& state);
absl::StatusOr<PartitionState> DecodePartitionState(std::string_view json, const client::Stat& stat);

std::string EncodeConfigs(const ClusterView::Configs& configs);
absl::StatusOr<ClusterView::Configs> DecodeConfigs(std::string_view json);

std::string EncodeDeletionRecord(const DeletionRecord& record);
absl::StatusOr<DeletionRecord> DecodeDeletionRecord(std::string_view json, const client::Stat& stat, base::Uuid topic_id);

std::string EncodeController(BrokerId id, int64_t started_ms);
absl::StatusOr<BrokerId> DecodeController(std::string_view json);

}  // namespace bellwether::broker

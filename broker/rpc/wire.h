#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwether/broker/v1/broker.pb.h"
#include "broker/metadata/cluster_view.h"
#include "broker/service/broker_service.h"
#include "broker/service/consume_stream.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

// Between the broker's own types and its protobuf messages.
namespace bellwether::broker {

// Requires: !status.ok().
common::v1::Error ToWire(const absl::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

// INVALID_ARGUMENT when the topic id is not one.
absl::StatusOr<PartitionTarget> FromWire(const v1::PartitionRef& ref);

// A ConsumeResponse. The batches are not copied: the buffer holds on to them until they are sent.
grpc::ByteBuffer EncodeChunk(const ConsumeChunk& chunk);

v1::BrokerInfo ToWire(const Broker& broker);
// With `configs`, the settings in force as well.
v1::TopicInfo ToWire(const Topic& topic, const ClusterView::Configs* configs);
// Everything but the topics.
v1::MetadataResponse ClusterToWire(const ClusterView& view);

}  // namespace bellwether::broker

#include "broker/rpc/wire.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "broker/metadata/topic_settings.h"
#include "grpcpp/support/slice.h"

namespace bellwether::broker {
namespace {

// Smaller batches are copied: a slice of their own would cost more.
constexpr size_t kSliceBytesMin = 1024;

// Protobuf's wire format: field number and wire type in one byte.
constexpr uint8_t VarintField(int number) { return static_cast<uint8_t>(number << 3); }
constexpr uint8_t BytesField(int number) { return static_cast<uint8_t>(number << 3 | 2); }

grpc::Slice SliceOf(const BatchRef& batch) {
  return grpc::Slice(
      const_cast<char*>(batch->data()), batch->size(),
      [](void* held) { delete static_cast<BatchRef*>(held); }, new BatchRef(batch));
}

}  // namespace

common::v1::Error ToWire(const absl::Status& status) {
  common::v1::Error error;
  error.set_code(static_cast<int>(status.code()));
  error.set_message(std::string(status.message()));
  error.set_outcome(base::OutcomeOf(status) == base::Outcome::kUnknown
                        ? common::v1::OUTCOME_UNKNOWN
                        : common::v1::OUTCOME_REJECTED);
  error.set_reason(base::ReasonOf(status));
  return error;
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

absl::StatusOr<PartitionTarget> FromWire(const v1::PartitionRef& ref) {
  const auto topic_id = base::Uuid::FromBytes(ref.topic_id());
  if (!topic_id) return absl::InvalidArgumentError("a topic id has 16 bytes");
  return PartitionTarget{.id = {.topic_id = *topic_id, .partition = ref.partition()},
                         .leader_epoch = ref.leader_epoch()};
}

grpc::ByteBuffer EncodeChunk(const ConsumeChunk& chunk) {
  std::string pending;
  base::Encoder encoder(pending);
  const auto varint = [&encoder](int field, int64_t value) {
    if (value != 0) encoder.Fixed8(VarintField(field)).Varint(static_cast<uint64_t>(value));
  };
  varint(v1::ConsumeResponse::kSubscriptionIdFieldNumber,
         static_cast<int64_t>(chunk.subscription_id));
  if (!chunk.error.ok()) {
    encoder.Fixed8(BytesField(v1::ConsumeResponse::kErrorFieldNumber))
        .String(ToWire(chunk.error).SerializeAsString());
  }
  varint(v1::ConsumeResponse::kLogStartOffsetFieldNumber, chunk.offsets.log_start.value());
  varint(v1::ConsumeResponse::kHighWatermarkFieldNumber, chunk.offsets.high_watermark.value());

  std::vector<grpc::Slice> slices;
  size_t bytes = 0;
  for (const BatchRef& batch : chunk.batches) bytes += batch->size();
  if (bytes > 0) {
    encoder.Fixed8(BytesField(v1::ConsumeResponse::kBatchesFieldNumber)).Varint(bytes);
  }
  for (const BatchRef& batch : chunk.batches) {
    if (batch->size() < kSliceBytesMin) {
      encoder.Raw(*batch);
      continue;
    }
    if (!pending.empty()) slices.emplace_back(pending);
    pending.clear();
    slices.push_back(SliceOf(batch));
  }
  if (!pending.empty() || slices.empty()) slices.emplace_back(pending);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

v1::BrokerInfo ToWire(const Broker& broker) {
  v1::BrokerInfo info;
  info.set_id(broker.id.value());
  info.set_up(true);
  info.set_epoch(broker.epoch.value());
  info.set_grpc(broker.grpc);
  info.set_rack(broker.rack);
  info.set_started_ms(broker.started_ms);
  return info;
}

v1::TopicInfo ToWire(const Topic& topic, const ClusterView::Configs* configs) {
  v1::TopicInfo info;
  info.set_name(topic.name);
  info.set_topic_id(topic.topic_id.Bytes());
  for (int32_t p = 0; p < topic.partition_count(); ++p) {
    const Partition& partition = *topic.partitions[p];
    v1::PartitionInfo& out = *info.add_partitions();
    out.set_partition(p);
    out.set_leader(partition.state ? partition.state->leader.value() : kNoBroker.value());
    out.set_leader_epoch(partition.state ? partition.state->leader_epoch.value() : 0);
    for (const BrokerId id : partition.replicas) out.add_replicas(id.value());
    if (!partition.state) continue;
    for (const IsrMember& member : partition.state->isr) out.add_isr(member.broker.value());
  }
  if (configs == nullptr) return info;
  for (const EffectiveSetting& setting : EffectiveSettings(*configs)) {
    v1::EffectiveConfig& out = *info.add_configs();
    out.set_name(setting.name);
    out.set_value(setting.value);
    out.set_source(setting.from_topic ? v1::CONFIG_SOURCE_TOPIC : v1::CONFIG_SOURCE_DEFAULT);
  }
  return info;
}

v1::MetadataResponse ClusterToWire(const ClusterView& view) {
  v1::MetadataResponse response;
  response.set_zxid(view.zxid().value());
  response.set_controller_id(view.controller().id.value());
  response.set_controller_epoch(view.controller().epoch);
  std::set<BrokerId> known;
  for (const auto& [id, broker] : *view.brokers()) known.insert(id);
  view.topics().ForEach([&known](const std::string&, const std::shared_ptr<const Topic>& topic) {
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      const auto& replicas = topic->partitions[p]->replicas;
      known.insert(replicas.begin(), replicas.end());
    }
  });
  for (const BrokerId id : known) {
    if (const Broker* broker = view.FindBroker(id)) {
      *response.add_brokers() = ToWire(*broker);
    } else {
      response.add_brokers()->set_id(id.value());
    }
  }
  return response;
}

}  // namespace bellwether::broker

#include "broker/metadata/topic_admin.h"

#include <utility>

#include "base/check.h"
#include "base/parse.h"
#include "base/status.h"
#include "broker/metadata/paths.h"
#include "broker/metadata/placement.h"
#include "broker/metadata/topic_settings.h"
#include "broker/metadata/znode_json.h"
#include "fmt/format.h"

namespace bellwether::broker {

absl::Status ValidateTopicSpec(const TopicSpec& spec) {
  RETURN_IF_ERROR(ValidateTopicName(spec.name));
  if (spec.partitions < 1 || spec.partitions > kPartitionsMax) {
    return absl::InvalidArgumentError(fmt::format(
        "topic '{}' can't have {} partitions; choose 1 to {}", spec.name, spec.partitions,
        kPartitionsMax));
  }
  if (spec.replication < 0) {
    return absl::InvalidArgumentError(
        fmt::format("replication {} is not a number of replicas; use --replication 1",
                    spec.replication));
  }
  if (spec.replication > 1) {
    return absl::FailedPreconditionError(fmt::format(
        "replication {} is not available yet; use --replication 1", spec.replication));
  }
  return ValidateConfigs(spec.configs);
}

absl::StatusOr<client::Transaction> CreationOf(const ClusterView& view, const TopicSpec& spec,
                                               base::Uuid topic_id, uint64_t seed) {
  RETURN_IF_ERROR(ValidateTopicSpec(spec));
  if (view.FindTopic(std::string_view(spec.name)) != nullptr) {
    return absl::AlreadyExistsError(fmt::format("topic '{}' exists", spec.name));
  }
  if (view.brokers()->empty()) {
    return absl::UnavailableError(fmt::format(
        "topic '{}' not created: no broker is registered; start one and try again", spec.name));
  }
  TopicAssignment assignment{.topic_id = topic_id};
  for (const BrokerId id : PlacePartitions(LoadsOf(view), spec.partitions, seed)) {
    assignment.replicas.push_back({id});
  }
  client::Transaction transaction;
  auto& operations = transaction.operations;
  operations.push_back(client::CreateOperation{.path = paths::Topic(spec.name),
                                               .data = EncodeAssignment(assignment)});
  operations.push_back(client::CreateOperation{.path = paths::Partitions(spec.name)});
  const std::string config_path = paths::TopicConfig(spec.name);
  std::string configs = EncodeConfigs(spec.configs);
  if (view.HasConfigs(spec.name)) {  // left over from somebody's hand
    operations.push_back(client::SetOperation{.path = config_path, .data = std::move(configs)});
  } else {
    operations.push_back(client::CreateOperation{.path = config_path, .data = std::move(configs)});
  }
  return transaction;
}

absl::StatusOr<client::Transaction> DeletionOf(const ClusterView& view, std::string_view name) {
  const auto topic = view.FindTopic(name);
  if (topic == nullptr) {
    return absl::NotFoundError(
        fmt::format("topic '{}' does not exist; check the name, or create it first", name));
  }
  if (!topic->readable) {
    return absl::FailedPreconditionError(fmt::format(
        "topic '{}' not deleted: its assignment at {} can't be read; repair or delete that znode",
        name, paths::Topic(name)));
  }
  DeletionRecord record;
  record.topic_id = topic->topic_id;
  record.name = topic->name;
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    const auto& replicas = topic->partitions[p]->replicas;
    record.pending.insert(replicas.begin(), replicas.end());
  }
  client::Transaction transaction;
  client::Compare unchanged;
  unchanged.path = paths::Topic(name);
  unchanged.czxid = topic->czxid;
  unchanged.mzxid = topic->mzxid;
  transaction.compares.push_back(std::move(unchanged));
  auto& operations = transaction.operations;
  const auto remove = [&operations](std::string path) {
    operations.push_back(client::DeleteOperation{.path = std::move(path)});
  };
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    const Partition& partition = *topic->partitions[p];
    if (!partition.state && !partition.state_unreadable) continue;
    remove(paths::PartitionState(name, p));
    remove(paths::Partition(name, p));
  }
  remove(paths::Partitions(name));
  remove(paths::Topic(name));
  if (view.HasConfigs(name)) {
    remove(paths::TopicConfig(name));
  }
  operations.push_back(client::CreateOperation{.path = paths::DeletionRecord(record.topic_id),
                                               .data = EncodeDeletionRecord(record)});
  return transaction;
}

client::Transaction ConfirmationOf(const DeletionRecord& record, BrokerId self) {
  CHECK(record.pending.contains(self));
  DeletionRecord rest = record;
  rest.pending.erase(self);
  client::Transaction transaction;
  client::Compare unchanged;
  unchanged.path = paths::DeletionRecord(record.topic_id);
  unchanged.mzxid = record.mzxid;
  transaction.operations.push_back(
      client::SetOperation{.path = unchanged.path, .data = EncodeDeletionRecord(rest)});
  transaction.compares.push_back(std::move(unchanged));
  return transaction;
}

bool HasAllLeaders(const ClusterView& view, base::Uuid topic_id) {
  const auto topic = view.FindTopic(topic_id);
  if (topic == nullptr) return false;
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    const auto& state = topic->partitions[p]->state;
    if (!state || state->leader == kNoBroker) return false;
  }
  return true;
}

}  // namespace bellwether::broker

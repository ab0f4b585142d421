#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "broker/metadata/ids.h"

// Where the cluster's state lives in coord: Kafka's well-known layout, and deletion records.
namespace bellwether::broker::paths {

inline constexpr std::string_view kBrokers = "/brokers";
inline constexpr std::string_view kBrokerIds = "/brokers/ids";
inline constexpr std::string_view kTopics = "/brokers/topics";
inline constexpr std::string_view kConfig = "/config";
inline constexpr std::string_view kTopicConfigs = "/config/topics";
inline constexpr std::string_view kController = "/controller";
inline constexpr std::string_view kControllerEpoch = "/controller_epoch";
inline constexpr std::string_view kAdmin = "/admin";
inline constexpr std::string_view kDeletedTopics = "/admin/deleted_topics";

// All that a cluster view is made of, as the roots of one recursive watch.
inline constexpr std::string_view kWatched[] = {kBrokerIds,     kTopics,         kTopicConfigs,
                                                kDeletedTopics, kController,     kControllerEpoch};

std::string Broker(BrokerId id);
std::string Topic(std::string_view topic);
std::string TopicConfig(std::string_view topic);
std::string Partitions(std::string_view topic);
std::string Partition(std::string_view topic, int32_t partition);
std::string PartitionState(std::string_view topic, int32_t partition);
std::string DeletionRecord(base::Uuid topic_id);

// What a path means to a broker.
enum class Kind {
  kOther,  // not ours, or a folder without content of its own
  kBroker,
  kTopic,
  kTopicConfig,
  kPartitionState,
  kController,
  kControllerEpoch,
  kDeletionRecord,
};

struct Parsed {
  Kind kind = Kind::kOther;
  std::string_view name;   // of the topic, the broker's id or the topic id as text; into `path`
  int32_t partition = -1;  // of a kPartitionState
};

// Classifies a path. A name that can't be one (a partition "007" or "x") is kOther.
Parsed Parse(std::string_view path);

}  // namespace bellwether::broker::paths

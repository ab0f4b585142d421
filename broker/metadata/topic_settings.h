#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "broker/metadata/cluster_view.h"

// What may be said about a topic: names, settings and their values, by Kafka's names.
namespace bellwether::broker {

// The settings that the broker acts on. -1 means without bound where allowed.
struct TopicSettings {
  int64_t retention_ms = 604800000;     // age at which records may go; -1: never
  int64_t retention_bytes = -1;         // per partition; -1: no bound
  int64_t max_message_bytes = 1 << 20;  // of one batch; 1 to 1 MiB
};

// A setting in force.
struct EffectiveSetting {
  std::string name;
  std::string value;
  bool from_topic = false;  // else the default
};

// 1 to 249 of [a-zA-Z0-9._-], not "." or "..". INVALID_ARGUMENT says what is wrong.
absl::Status ValidateTopicName(std::string_view name);

// Known names with values in range. INVALID_ARGUMENT names the setting, and the nearest known name.
absl::Status ValidateConfigs(const ClusterView::Configs& configs);

// Settings that are missing, unknown or out of range fall back to the default.
TopicSettings SettingsOf(const ClusterView::Configs& configs);

// All settings, sorted by name.
std::vector<EffectiveSetting> EffectiveSettings(const ClusterView::Configs& configs);

}  // namespace bellwether::broker

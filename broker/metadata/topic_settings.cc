#include "broker/metadata/topic_settings.h"

#include <algorithm>
#include <limits>

#include "base/options/option_table.h"
#include "base/parse.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr size_t kTopicNameMax = 249;
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

// One setting: its field, and the values it may have. Sorted by name.
struct Setting {
  const char* name;
  int64_t TopicSettings::*field;
  int64_t first;
  int64_t last;
};
constexpr Setting kSettings[] = {
    {"max.message.bytes", &TopicSettings::max_message_bytes, 1, 1 << 20},
    {"retention.bytes", &TopicSettings::retention_bytes, -1, kInt64Max},
    {"retention.ms", &TopicSettings::retention_ms, -1, kInt64Max},
};

const Setting* FindSetting(std::string_view name) {
  const auto* it = std::find_if(std::begin(kSettings), std::end(kSettings),
                                [name](const Setting& setting) { return setting.name == name; });
  return it == std::end(kSettings) ? nullptr : it;
}

absl::Status UnknownSetting(std::string_view name) {
  std::vector<std::string> names;
  for (const Setting& setting : kSettings) names.emplace_back(setting.name);
  const std::string nearest = base::NearestWord(name, names);
  std::string known;
  for (const std::string& known_name : names) known += (known.empty() ? "" : ", ") + known_name;
  return absl::InvalidArgumentError(fmt::format(
      "unknown topic config '{}'; {}", name,
      nearest.empty() ? fmt::format("known are {}", known)
                      : fmt::format("did you mean '{}'?", nearest)));
}

}  // namespace

absl::Status ValidateTopicName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kTopicNameMax || name == "." || name == ".." ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return absl::InvalidArgumentError(
        fmt::format("topic name '{}' is not allowed; use 1 to {} of a-z A-Z 0-9 . _ - and not "
                    "'.' or '..'",
                    name.substr(0, kTopicNameMax + 1), kTopicNameMax));
  }
  return absl::OkStatus();
}

absl::Status ValidateConfigs(const ClusterView::Configs& configs) {
  for (const auto& [name, value] : configs) {
    const Setting* setting = FindSetting(name);
    if (setting == nullptr) return UnknownSetting(name);
    const auto number = base::ParseInteger(value, setting->first, setting->last);
    if (!number.ok()) return base::Annotate(number.status(), "topic config " + name);
  }
  return absl::OkStatus();
}

TopicSettings SettingsOf(const ClusterView::Configs& configs) {
  TopicSettings settings;
  for (const auto& [name, value] : configs) {
    const Setting* setting = FindSetting(name);
    if (setting == nullptr) continue;
    const auto number = base::ParseInteger(value, setting->first, setting->last);
    if (number.ok()) settings.*setting->field = *number;
  }
  return settings;
}

std::vector<EffectiveSetting> EffectiveSettings(const ClusterView::Configs& configs) {
  const TopicSettings settings = SettingsOf(configs);
  std::vector<EffectiveSetting> effective;
  for (const Setting& setting : kSettings) {
    effective.push_back({.name = setting.name,
                         .value = fmt::to_string(settings.*setting.field),
                         .from_topic = configs.find(setting.name) != configs.end()});
  }
  return effective;
}

}  // namespace bellwether::broker

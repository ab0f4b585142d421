#include "broker/metadata/paths.h"

#include "absl/strings/numbers.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker::paths {
namespace {

// The rest of `path` after "`parent`/"; empty when it isn't below `parent`.
std::string_view Below(std::string_view path, std::string_view parent) {
  if (path.size() <= parent.size() + 1 || !path.starts_with(parent)) return {};
  return path[parent.size()] == '/' ? path.substr(parent.size() + 1) : std::string_view();
}

Parsed Leaf(Kind kind, std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return {};
  return Parsed{.kind = kind, .name = name};
}

// "T" or "T/partitions/P/state".
Parsed ParseBelowTopics(std::string_view rest) {
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return Leaf(Kind::kTopic, rest);
  const std::string_view number_and_state = Below(rest.substr(slash), "/partitions");
  const size_t end = number_and_state.find('/');
  if (end == std::string_view::npos || number_and_state.substr(end) != "/state") return {};
  const std::string_view number = number_and_state.substr(0, end);
  int32_t partition = -1;
  if (!absl::SimpleAtoi(base::AbslView(number), &partition) || partition < 0 ||
      fmt::to_string(partition) != number) {
    return {};
  }
  return Parsed{
      .kind = Kind::kPartitionState, .name = rest.substr(0, slash), .partition = partition};
}

}  // namespace

std::string Broker(BrokerId id) { return fmt::format("{}/{}", kBrokerIds, id); }
std::string Topic(std::string_view topic) { return fmt::format("{}/{}", kTopics, topic); }
std::string TopicConfig(std::string_view topic) {
  return fmt::format("{}/{}", kTopicConfigs, topic);
}
std::string Partitions(std::string_view topic) {
  return fmt::format("{}/{}/partitions", kTopics, topic);
}
std::string Partition(std::string_view topic, int32_t partition) {
  return fmt::format("{}/{}/partitions/{}", kTopics, topic, partition);
}
std::string PartitionState(std::string_view topic, int32_t partition) {
  return fmt::format("{}/{}/partitions/{}/state", kTopics, topic, partition);
}
std::string DeletionRecord(base::Uuid topic_id) {
  return fmt::format("{}/{}", kDeletedTopics, topic_id.ToString());
}

Parsed Parse(std::string_view path) {
  if (path == kController) return Parsed{.kind = Kind::kController};
  if (path == kControllerEpoch) return Parsed{.kind = Kind::kControllerEpoch};
  if (const auto rest = Below(path, kTopics); !rest.empty()) return ParseBelowTopics(rest);
  if (const auto rest = Below(path, kBrokerIds); !rest.empty()) return Leaf(Kind::kBroker, rest);
  if (const auto rest = Below(path, kTopicConfigs); !rest.empty()) {
    return Leaf(Kind::kTopicConfig, rest);
  }
  if (const auto rest = Below(path, kDeletedTopics); !rest.empty()) {
    return Leaf(Kind::kDeletionRecord, rest);
  }
  return {};
}

}  // namespace bellwether::broker::paths

#include "cli/stored_cluster.h"

#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/parse.h"
#include "base/status.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Brokers = std::map<client::BrokerId, client::BrokerInfo>;
using Json = nlohmann::json;

constexpr std::string_view kBrokers = "/brokers/ids";
constexpr std::string_view kTopics = "/brokers/topics";
constexpr std::string_view kController = "/controller";
constexpr std::string_view kControllerEpoch = "/controller_epoch";

// A znode's content; null when it isn't a JSON object.
Json ObjectIn(const client::WatchChange& znode) {
  Json json = Json::parse(znode.data.value_or(""), nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

// A field of an object; null when it isn't there.
const Json& Field(const Json& object, const std::string& name) {
  static const Json kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

int64_t Integer(const Json& value, int64_t otherwise) {
  return value.is_number_integer() ? value.get<int64_t>() : otherwise;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

client::BrokerId ToBrokerId(const Json& value) {
  const int64_t id = Integer(value, -1);
  const bool is_one = id >= 0 && id <= std::numeric_limits<int32_t>::max();
  return client::BrokerId(is_one ? static_cast<int32_t>(id) : -1);
}

// Calls `use(name, znode)` for each child of `parent`.
template <typename Use>
void ForEachChild(const Znodes& znodes, std::string_view parent, Use use) {
  const std::string prefix = fmt::format("{}/", parent);
  for (auto znode = znodes.lower_bound(prefix); znode != znodes.end(); ++znode) {
    if (!znode->first.starts_with(prefix)) return;
    const std::string name = znode->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) use(name, znode->second);
  }
}

Brokers RegisteredBrokers(const Znodes& znodes) {
  Brokers brokers;
  ForEachChild(znodes, kBrokers, [&](const std::string& name, const client::WatchChange& znode) {
    const auto id = base::ParseInteger(name, 0, std::numeric_limits<int32_t>::max());
    if (!id.ok()) return;
    const Json json = ObjectIn(znode);
    client::BrokerInfo broker{.id = client::BrokerId(static_cast<int32_t>(*id)), .up = true};
    broker.epoch = znode.stat.czxid.value();
    broker.grpc = Text(Field(json, "grpc"));
    broker.rack = Text(Field(json, "rack"));
    broker.started_ms = Integer(Field(json, "started_ms"), 0);
    brokers.emplace(broker.id, std::move(broker));
  });
  return brokers;
}

void ReadState(const Json& state, const Brokers& brokers, client::PartitionInfo& partition) {
  const client::BrokerId leader = ToBrokerId(Field(state, "leader"));
  partition.leader_epoch =
      client::LeaderEpoch(static_cast<int32_t>(Integer(Field(state, "leader_epoch"), -1)));
  const Json& isr = Field(state, "isr");
  if (!isr.is_array()) return;
  for (const Json& member : isr) {
    const client::BrokerId id = ToBrokerId(Field(member, "broker"));
    partition.isr.push_back(id);
    const auto broker = brokers.find(id);
    if (id != leader || broker == brokers.end()) continue;
    if (Integer(Field(member, "epoch"), -1) == broker->second.epoch) partition.leader = leader;
  }
}

client::TopicInfo ReadTopic(const Znodes& znodes, const Brokers& brokers, const std::string& name,
                            const Json& assignment) {
  client::TopicInfo topic{.name = name};
  topic.topic_id =
      base::Uuid::Parse(Text(Field(assignment, "topic_id"))).value_or(base::Uuid());
  const Json& partitions = Field(assignment, "partitions");
  for (size_t number = 0; number < partitions.size(); ++number) {
    client::PartitionInfo partition{.partition = static_cast<int32_t>(number)};
    const Json& replicas = Field(partitions, fmt::to_string(number));
    if (!replicas.is_array()) continue;
    for (const Json& id : replicas) {
      if (ToBrokerId(id) >= client::BrokerId(0)) partition.replicas.push_back(ToBrokerId(id));
    }
    const auto state =
        znodes.find(fmt::format("{}/{}/partitions/{}/state", kTopics, name, number));
    if (state != znodes.end()) ReadState(ObjectIn(state->second), brokers, partition);
    topic.partitions.push_back(std::move(partition));
  }
  return topic;
}

// What a recursive watch of the brokers, and of further paths, begins with.
absl::StatusOr<client::ClusterInfo> ReadWatched(client::Coord& coord, client::WatchOptions options,
                                                absl::Duration timeout) {
  options.recursive = true;
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  const auto watch = coord.Watch(std::string(kBrokers), std::move(options));
  Znodes znodes;
  while (true) {
    auto batch = watch->Next(deadline - base::SystemClock().Monotonic());
    if (!batch.ok()) {
      return absl::UnavailableError(
          fmt::format("cannot read from coord which brokers and topics there are: {}; check that "
                      "most of its servers are up",
                      base::StdView(batch.status().message())));
    }
    for (client::WatchChange& znode : batch->changes) {
      const std::string path = znode.path;
      if (znode.type == client::WatchEventType::kDeleted) {
        znodes.erase(path);
      } else {
        znodes.insert_or_assign(path, std::move(znode));
      }
    }
    if (!batch->complete) continue;
    client::ClusterInfo cluster = ClusterOfZnodes(znodes);
    cluster.zxid = batch->zxid.value();
    return cluster;
  }
}

}  // namespace

client::ClusterInfo ClusterOfZnodes(const Znodes& znodes) {
  client::ClusterInfo cluster;
  Brokers brokers = RegisteredBrokers(znodes);
  ForEachChild(znodes, kTopics, [&](const std::string& name, const client::WatchChange& znode) {
    const Json assignment = ObjectIn(znode);
    if (!Field(assignment, "partitions").is_object()) return;
    cluster.topics.push_back(ReadTopic(znodes, brokers, name, assignment));
  });
  for (const client::TopicInfo& topic : cluster.topics) {
    for (const client::PartitionInfo& partition : topic.partitions) {
      for (const client::BrokerId id : partition.replicas) {
        brokers.try_emplace(id, client::BrokerInfo{.id = id});
      }
    }
  }
  for (auto& entry : brokers) cluster.brokers.push_back(std::move(entry.second));
  if (const auto found = znodes.find(std::string(kController)); found != znodes.end()) {
    cluster.controller_id = ToBrokerId(Field(ObjectIn(found->second), "brokerid"));
  }
  if (const auto found = znodes.find(std::string(kControllerEpoch)); found != znodes.end()) {
    const auto epoch = base::ParseInteger(found->second.data.value_or(""), 0,
                                          std::numeric_limits<int64_t>::max());
    cluster.controller_epoch = epoch.value_or(0);
  }
  return cluster;
}

absl::StatusOr<client::ClusterInfo> ReadStoredCluster(client::Coord& coord, bool stale_ok,
                                                      absl::Duration timeout) {
  client::WatchOptions options;
  options.stale_ok = stale_ok;
  for (const std::string_view path : {kTopics, kController, kControllerEpoch}) {
    options.further_paths.emplace_back(path);
  }
  return ReadWatched(coord, std::move(options), timeout);
}

absl::StatusOr<std::vector<client::BrokerInfo>> ReadRegisteredBrokers(client::Coord& coord,
                                                                      absl::Duration timeout) {
  ASSIGN_OR_RETURN(client::ClusterInfo cluster, ReadWatched(coord, {}, timeout));
  return std::move(cluster.brokers);
}

}  // namespace bellwether::cli

#include <CLI/CLI.hpp>
#include <map>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "client/admin.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

struct TopicFlags {
  std::string name;
  std::optional<int64_t> partitions;
  std::optional<int64_t> replication;
  std::vector<std::string> configs;  // "K=V"
  bool if_not_exists = false;
};

CommandResult Create(const Context& context, const TopicFlags& flags) {
  client::Admin::NewTopic topic{.name = flags.name};
  topic.partitions = static_cast<int32_t>(flags.partitions.value_or(1));
  topic.replication = static_cast<int32_t>(flags.replication.value_or(0));
  for (const std::string& config : flags.configs) {
    const size_t equals = config.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(fmt::format(
          "--config '{}' is not KEY=VALUE; write for example retention.ms=3600000", config));
    }
    topic.configs[config.substr(0, equals)] = config.substr(equals + 1);
  }
  ASSIGN_OR_RETURN(const auto admin, context.ConnectAdmin());
  auto topic_id = admin->CreateTopic(topic);
  if (absl::IsAlreadyExists(topic_id.status()) && flags.if_not_exists) {
    ASSIGN_OR_RETURN(const client::ClusterInfo cluster, admin->Describe({flags.name}));
    topic_id = cluster.topics.front().topic_id;
  }
  RETURN_IF_ERROR(topic_id.status());
  if (context.json) {
    PrintJson({{"name", flags.name}, {"topic_id", topic_id->ToString()}});
  } else {
    fmt::print("{}\n", flags.name);
  }
  return kExitOk;
}

CommandResult List(const Context& context) {
  ASSIGN_OR_RETURN(const auto admin, context.ConnectAdmin());
  ASSIGN_OR_RETURN(const client::ClusterInfo cluster, admin->List());
  nlohmann::ordered_json topics = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"NAME", "PARTITIONS", "REPLICATION"}};
  for (const client::TopicInfo& topic : cluster.topics) {
    const size_t replication =
        topic.partitions.empty() ? 0 : topic.partitions.front().replicas.size();
    topics.push_back({{"name", topic.name},
                      {"partitions", topic.partitions.size()},
                      {"replication", replication}});
    rows.push_back({topic.name, std::to_string(topic.partitions.size()),
                    std::to_string(replication)});
  }
  if (context.json) {
    PrintJson({{"topics", topics}});
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

CommandResult Delete(const Context& context, const TopicFlags& flags) {
  ASSIGN_OR_RETURN(const auto admin, context.ConnectAdmin());
  RETURN_IF_ERROR(admin->DeleteTopic(flags.name));
  if (context.json) PrintJson({{"name", flags.name}});
  return kExitOk;
}

std::vector<int32_t> Numbers(const std::vector<client::BrokerId>& ids) {
  std::vector<int32_t> numbers;
  for (const client::BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

const char* StateOf(const client::PartitionInfo& partition) {
  if (partition.leader.value() < 0) return "offline";
  return partition.isr.size() < partition.replicas.size() ? "under_replicated" : "online";
}

nlohmann::ordered_json NumberOrNull(const absl::StatusOr<client::PartitionOffsets>& offsets,
                                    client::Offset client::PartitionOffsets::*field) {
  if (!offsets.ok()) return nullptr;
  return ((*offsets).*field).value();
}

// Offsets of an offline partition are null: only its broker knows them.
CommandResult Describe(const Context& context, const TopicFlags& flags) {
  ASSIGN_OR_RETURN(const auto admin, context.ConnectAdmin());
  ASSIGN_OR_RETURN(const client::ClusterInfo cluster, admin->Describe({flags.name}));
  const client::TopicInfo& topic = cluster.topics.front();
  const auto offsets = admin->ListOffsets(cluster, topic, client::Admin::kEnd);
  nlohmann::ordered_json document = {{"name", topic.name},
                                     {"topic_id", topic.topic_id.ToString()}};
  document["partitions"] = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {
      {"PARTITION", "STATE", "LEADER", "EPOCH", "REPLICAS", "ISR", "START", "HIGH-WATERMARK"}};
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const client::PartitionInfo& p = topic.partitions[i];
    nlohmann::ordered_json json = {{"partition", p.partition}, {"state", StateOf(p)}};
    json["leader"] = p.leader.value();
    json["leader_epoch"] = p.leader_epoch.value();
    json["replicas"] = Numbers(p.replicas);
    json["isr"] = Numbers(p.isr);
    json["log_start_offset"] =
        NumberOrNull(offsets[i], &client::PartitionOffsets::log_start_offset);
    json["high_watermark"] = NumberOrNull(offsets[i], &client::PartitionOffsets::high_watermark);
    json["log_end_offset"] = NumberOrNull(offsets[i], &client::PartitionOffsets::log_end_offset);
    rows.push_back({std::to_string(p.partition), StateOf(p), json["leader"].dump(),
                    json["leader_epoch"].dump(), fmt::format("{}", fmt::join(Numbers(p.replicas), ",")),
                    fmt::format("{}", fmt::join(Numbers(p.isr), ",")),
                    offsets[i].ok() ? json["log_start_offset"].dump() : "-",
                    offsets[i].ok() ? json["high_watermark"].dump() : "-"});
    document["partitions"].push_back(std::move(json));
  }
  document["configs"] = nlohmann::ordered_json::array();
  for (const client::TopicConfig& config : topic.configs) {
    document["configs"].push_back(
        {{"name", config.name}, {"value", config.value}, {"source", config.source}});
  }
  if (context.json) {
    PrintJson(document);
    return kExitOk;
  }
  fmt::print("topic {} id {}\n", topic.name, topic.topic_id.ToString());
  PrintTable(rows);
  rows = {{"CONFIG", "VALUE", "SOURCE"}};
  for (const client::TopicConfig& config : topic.configs) {
    rows.push_back({config.name, config.value, config.source});
  }
  PrintTable(rows);
  return kExitOk;
}

}  // namespace

void RegisterTopicCommands(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TopicFlags>();  // lives as long as the callbacks below
  CLI::App* const topic = app.add_subcommand("topic", "create, list, describe and delete topics");
  topic->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& help, auto run) {
    CLI::App* const command = topic->add_subcommand(name, help);
    command->callback([&context, flags, run] {
      context.command = [&context, flags, run] { return run(context, *flags); };
    });
    return command;
  };
  CLI::App* const create = add("create", "make a topic", Create);
  create->add_option("TOPIC", flags->name, "1 to 249 of [a-zA-Z0-9._-]")->required();
  AddInteger(*create, "--partitions", "number of partitions [1]", 1, 10000, flags->partitions);
  AddInteger(*create, "--replication", "replicas of each partition [1]", 1, 32767,
             flags->replication);
  create->add_option("--config", flags->configs, "a setting, as retention.ms=3600000; repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false);
  create->add_flag("--if-not-exists", flags->if_not_exists, "succeed when it is there already");
  add("list", "names and sizes of all topics",
      [](const Context& c, const TopicFlags&) { return List(c); });
  add("delete", "delete a topic and its data", Delete)
      ->add_option("TOPIC", flags->name, "an existing topic")
      ->required();
  add("describe", "partitions, leaders, offsets and settings", Describe)
      ->add_option("TOPIC", flags->name, "an existing topic")
      ->required();
}

}  // namespace bellwether::cli

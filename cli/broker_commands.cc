#include <CLI/CLI.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "client/admin.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

struct Load {
  int leaders = 0;
  int replicas = 0;
};

Load LoadOf(const client::ClusterInfo& cluster, client::BrokerId broker) {
  Load load;
  for (const client::TopicInfo& topic : cluster.topics) {
    for (const client::PartitionInfo& partition : topic.partitions) {
      if (partition.leader == broker) ++load.leaders;
      for (const client::BrokerId replica : partition.replicas) load.replicas += replica == broker;
    }
  }
  return load;
}

CommandResult List(const Context& context, bool all) {
  ASSIGN_OR_RETURN(const auto admin, context.ConnectAdmin());
  ASSIGN_OR_RETURN(const client::ClusterInfo cluster, admin->List());
  nlohmann::ordered_json document = {{"controller_id", nullptr},
                                     {"brokers", nlohmann::ordered_json::array()}};
  if (cluster.controller_id.value() >= 0) document["controller_id"] = cluster.controller_id.value();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "STATE", "GRPC", "RACK", "LEADERS", "REPLICAS", "CONTROLLER"}};
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
  };
  for (const client::BrokerInfo& broker : cluster.brokers) {
    if (!broker.up && !all) continue;
    const Load load = LoadOf(cluster, broker.id);
    nlohmann::ordered_json json = {{"id", broker.id.value()},
                                   {"state", broker.up ? "up" : "down"}};
    json["epoch"] = broker.up ? nlohmann::ordered_json(broker.epoch) : nullptr;
    json["grpc"] = text_or_null(broker.grpc);
    json["kafka"] = nullptr;
    json["rack"] = text_or_null(broker.rack);
    json["started_ms"] = broker.up ? nlohmann::ordered_json(broker.started_ms) : nullptr;
    json["leaders"] = load.leaders;
    json["replicas"] = load.replicas;
    document["brokers"].push_back(std::move(json));
    rows.push_back({std::to_string(broker.id.value()), broker.up ? "up" : "down",
                    broker.grpc.empty() ? "-" : broker.grpc,
                    broker.rack.empty() ? "-" : broker.rack, std::to_string(load.leaders),
                    std::to_string(load.replicas), broker.id == cluster.controller_id ? "*" : ""});
  }
  if (context.json) {
    PrintJson(document);
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

}  // namespace

void RegisterBrokerCommands(CLI::App& app, Context& context) {
  auto all = std::make_shared<bool>(false);  // lives as long as the callbacks below
  CLI::App* const broker = app.add_subcommand("broker", "which brokers there are");
  broker->require_subcommand(1);
  CLI::App* const list = broker->add_subcommand("list", "live brokers");
  list->add_flag("--all", *all, "also those only named in assignments");
  list->callback([&context, all] {
    context.command = [&context, all] { return List(context, *all); };
  });
}

}  // namespace bellwether::cli

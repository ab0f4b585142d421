#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/parse.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/dev_cluster.h"
#include "cli/dev_process.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

struct DevFlags {
  std::string dir = ".bellwether";
  std::optional<int64_t> coords;
  std::optional<int64_t> brokers;
  std::string port_base = "auto";
  std::string name;
  std::optional<int64_t> signal;
};

nlohmann::ordered_json Describe(const DevCluster& cluster, const DevServer& server) {
  const auto pid = cluster.PidOf(server);
  const auto text_or_null = [](const std::optional<std::string>& text) {
    return text.has_value() ? nlohmann::ordered_json(*text) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json = {{"name", server.name}, {"kind", server.kind}, {"id", server.id}};
  json["pid"] = pid.has_value() ? nlohmann::ordered_json(*pid) : nlohmann::ordered_json(nullptr);
  json["state"] = pid.has_value() ? "running" : "stopped";
  json["grpc"] = server.grpc;
  json["peer"] = text_or_null(server.peer);
  json["zk"] = text_or_null(server.zk);
  json["kafka"] = nullptr;
  json["admin"] = server.admin;
  json["data_dir"] = cluster.DataDir(server);
  json["log"] = cluster.LogFile(server);
  return json;
}

// Of a server that has just started, or whose leader has just changed.
constexpr absl::Duration kUntilReady = absl::Seconds(2);

// Whether all servers run and say that they are ready. Asks up to the first that doesn't.
bool IsReady(const DevCluster& cluster) {
  for (const DevServer& server : cluster.servers()) {
    if (!cluster.PidOf(server).has_value()) return false;
  }
  const auto& servers = cluster.servers();
  return std::all_of(servers.begin(), servers.end(),
                     [](const DevServer& server) {
                       return WaitUntilHealthy(server.admin, kUntilReady).ok();
                     });
}

void PrintDocument(const DevCluster& cluster) {
  nlohmann::ordered_json document = {{"dir", cluster.dir()}, {"ready", IsReady(cluster)}};
  document["processes"] = nlohmann::ordered_json::array();
  for (const DevServer& server : cluster.servers()) {
    document["processes"].push_back(Describe(cluster, server));
  }
  PrintJson(document);
}

void Print(const Context& context, const DevCluster& cluster) {
  if (context.json) return PrintDocument(cluster);
  std::vector<std::vector<std::string>> rows = {{"NAME", "STATE", "PID", "GRPC", "ADMIN"}};
  for (const DevServer& server : cluster.servers()) {
    const nlohmann::ordered_json json = Describe(cluster, server);
    rows.push_back({server.name, json["state"], json["pid"].is_null() ? "-" : json["pid"].dump(),
                    server.grpc, server.admin});
  }
  PrintTable(rows);
}

CommandResult Up(const Context& context, const DevFlags& flags) {
  int64_t port_base = 0;
  if (flags.port_base != "auto") {
    auto port = base::ParseInteger(flags.port_base, 1, 65000);
    if (!port.ok()) return base::Annotate(port.status(), "--port-base");
    port_base = *port;
  }
  ASSIGN_OR_RETURN(DevCluster cluster,
                   DevCluster::LayOut(flags.dir, static_cast<int>(flags.coords.value_or(3)),
                                      static_cast<int>(flags.brokers.value_or(3)),
                                      static_cast<uint16_t>(port_base)));
  RETURN_IF_ERROR(cluster.Up());
  Print(context, cluster);
  if (!context.json) fmt::print("connect: source {}/env\n", cluster.dir());
  return kExitOk;
}

// A command on one server or all of a cluster that is there.
template <typename Act>
std::function<CommandResult()> OnCluster(const DevFlags& flags, Act act) {
  return [&flags, act]() -> CommandResult {
    ASSIGN_OR_RETURN(DevCluster cluster, DevCluster::Load(flags.dir));
    RETURN_IF_ERROR(act(cluster));
    return kExitOk;
  };
}

}  // namespace

void RegisterDevCommands(CLI::App& app, Context& context) {
  auto flags = std::make_shared<DevFlags>();  // lives as long as the callbacks below
  CLI::App* const dev = app.add_subcommand("dev", "a local cluster of real processes");
  dev->require_subcommand(1);
  dev->add_option("--dir", flags->dir, "the cluster's folder")->capture_default_str();

  CLI::App* const up = dev->add_subcommand("up", "start a cluster, or what of it isn't running");
  AddInteger(*up, "--coords", "coord servers [3]", 1, 7, flags->coords);
  AddInteger(*up, "--brokers", "brokers [3]", 0, 50, flags->brokers);
  up->add_option("--port-base", flags->port_base, "first port of a free block, or auto")
      ->capture_default_str();
  up->callback([&context, flags] {
    context.command = [&context, flags] { return Up(context, *flags); };
  });

  dev->add_subcommand("down", "stop all of it; its data stays")->callback([&context, flags] {
    context.command = OnCluster(*flags, [](DevCluster& cluster) { return cluster.Down(); });
  });

  dev->add_subcommand("status", "what runs where")->callback([&context, flags] {
    context.command = OnCluster(*flags, [&context](DevCluster& cluster) {
      Print(context, cluster);
      return absl::OkStatus();
    });
  });

  CLI::App* const kill = dev->add_subcommand("kill", "signal a server and wait until it is gone");
  kill->add_option("NAME", flags->name, "as in coord-1 or broker-2")->required();
  AddInteger(*kill, "--signal", "signal number [9]", 1, 64, flags->signal);
  kill->callback([&context, flags] {
    context.command = OnCluster(*flags, [flags](DevCluster& cluster) {
      return cluster.Kill(flags->name, static_cast<int>(flags->signal.value_or(9)));
    });
  });

  CLI::App* const start = dev->add_subcommand("start", "start a server and wait until it is ready");
  start->add_option("NAME", flags->name, "as in coord-1 or broker-2")->required();
  start->callback([&context, flags] {
    context.command = OnCluster(
        *flags, [flags](DevCluster& cluster) { return cluster.Start(flags->name); });
  });
}

}  // namespace bellwether::cli

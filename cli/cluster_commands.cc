#include <CLI/CLI.hpp>
#include <map>
#include <set>

#include "base/status.h"
#include "cli/cluster_report.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

void PrintTables(const nlohmann::ordered_json& report) {
  const auto text = [](const nlohmann::ordered_json& value) {
    return value.is_null() ? "-" : value.is_string() ? value.get<std::string>() : value.dump();
  };
  fmt::print("{}\n", report["healthy"].get<bool>() ? "healthy" : "NOT healthy");
  for (const auto& problem : report["problems"]) {
    fmt::print("  {} {}: {}; {}\n", text(problem["code"]), text(problem["object"]),
               text(problem["why"]), text(problem["fix"]));
  }
  const auto& coord = report["coord"];
  fmt::print("ensemble {} leader {} term {}\n", text(coord["ensemble_id"]),
             text(coord["leader_id"]), text(coord["term"]));
  std::vector<std::vector<std::string>> rows = {
      {"SERVER", "STATE", "ROLE", "GRPC", "APPLIED", "LAG", "ZXID", "LOG-BYTES", "VERSION"}};
  for (const auto& s : coord["servers"]) {
    rows.push_back({text(s["id"]), text(s["state"]), text(s["role"]), text(s["grpc"]),
                    text(s["applied_index"]), text(s["lag"]), text(s["zxid"]),
                    text(s["log_bytes"]), text(s["version"])});
  }
  PrintTable(rows);
  const auto& brokers = report["brokers"];
  fmt::print("brokers up {} down {} controller {}\n", brokers["up"].dump(),
             brokers["down"].dump(), text(brokers["controller_id"]));
  const auto& partitions = report["partitions"];
  fmt::print("partitions {} online {} offline {} under-replicated {}\n", text(partitions["total"]),
             text(partitions["online"]), text(partitions["offline"]),
             text(partitions["under_replicated"]));
}

CommandResult Status(const Context& context, bool check) {
  ASSIGN_OR_RETURN(const nlohmann::ordered_json report, MakeClusterReport(context));
  if (context.json) {
    PrintJson(report);
  } else {
    PrintTables(report);
  }
  return check && !report["healthy"].get<bool>() ? kExitUnhealthy : kExitOk;
}

}  // namespace

void RegisterClusterCommands(CLI::App& app, Context& context) {
  auto check = std::make_shared<bool>(false);  // lives as long as the callbacks below
  CLI::App* const cluster = app.add_subcommand("cluster", "how the cluster is");
  cluster->require_subcommand(1);
  CLI::App* const status = cluster->add_subcommand("status", "servers, brokers, what is wrong");
  status->add_flag("--check", *check, "exit 8 when not healthy");
  status->callback([&context, check] {
    context.command = [&context, check] { return Status(context, *check); };
  });
  RegisterMembershipCommands(*cluster, context);
  RegisterUpgradeCommand(*cluster, context);
}

}  // namespace bellwether::cli

#include <CLI/CLI.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::UpgradeStatus;

Json Document(const UpgradeStatus& upgrade, bool finalized) {
  Json servers = Json::array();
  for (const UpgradeStatus::Server& server : upgrade.servers) {
    const bool heard = server.level_max != 0;
    servers.push_back({{"id", server.id},
                       {"state", server.connected ? "up" : "down"},
                       {"level_min", heard ? Json(server.level_min) : Json(nullptr)},
                       {"level_max", heard ? Json(server.level_max) : Json(nullptr)}});
  }
  return {{"level", upgrade.level},
          {"target", upgrade.target},
          {"finalized", finalized},
          {"obstacles", upgrade.obstacles},
          {"servers", std::move(servers)}};
}

void PrintText(const UpgradeStatus& upgrade, bool finalized) {
  fmt::print("feature level {}{}\n", upgrade.level, finalized ? ", finalized now" : "");
  if (upgrade.target == upgrade.level) {
    fmt::print("nothing to finalize: no server supports a higher level\n");
  } else if (upgrade.obstacles.empty()) {
    fmt::print("all servers support level {}: --finalize raises it, which can't be undone\n",
               upgrade.target);
  } else {
    fmt::print("level {} can't be finalized yet:\n", upgrade.target);
  }
  if (upgrade.target != upgrade.level) {
    for (const std::string& obstacle : upgrade.obstacles) fmt::print("  {}\n", obstacle);
  }
  std::vector<std::vector<std::string>> rows = {{"SERVER", "STATE", "LEVELS"}};
  for (const UpgradeStatus::Server& server : upgrade.servers) {
    rows.push_back({fmt::to_string(server.id), server.connected ? "up" : "down",
                    server.level_max == 0
                        ? "-"
                        : fmt::format("{}-{}", server.level_min, server.level_max)});
  }
  PrintTable(rows);
}

CommandResult Upgrade(const Context& context, bool finalize) {
  ASSIGN_OR_RETURN(const auto coord, context.ConnectCoordReadOnly());
  ASSIGN_OR_RETURN(UpgradeStatus upgrade, coord->Upgrade(false, context.RequestTimeout()));
  bool finalized = false;
  if (finalize) {
    const uint32_t before = upgrade.level;
    ASSIGN_OR_RETURN(upgrade, coord->Upgrade(true, context.RequestTimeout()));
    finalized = upgrade.level > before;
  }
  if (context.json) {
    PrintJson(Document(upgrade, finalized));
  } else {
    PrintText(upgrade, finalized);
  }
  return kExitOk;
}

}  // namespace

void RegisterUpgradeCommand(CLI::App& cluster, Context& context) {
  auto finalize = std::make_shared<bool>(false);  // lives as long as the callback below
  CLI::App* const upgrade = cluster.add_subcommand(
      "upgrade", "the feature level of coord, what its servers support, and raising it");
  upgrade->add_flag("--finalize", *finalize, "raise it to what all servers support, for good");
  upgrade->callback([&context, finalize] {
    context.command = [&context, finalize] { return Upgrade(context, *finalize); };
  });
}

}  // namespace bellwether::cli

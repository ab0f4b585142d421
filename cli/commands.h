#pragma once

namespace CLI {
class App;
}

namespace bellwether::cli {

class Context;

// Each adds its subcommands; what they do is left in context.command, for main to run.
void RegisterBrokerCommands(CLI::App& app, Context& context);
void RegisterClusterCommands(CLI::App& app, Context& context);
void RegisterConsumeCommand(CLI::App& app, Context& context);
void RegisterDevCommands(CLI::App& app, Context& context);
void RegisterExportCommand(CLI::App& app, Context& context);
void RegisterImportCommand(CLI::App& app, Context& context);
void RegisterLockCommand(CLI::App& app, Context& context);
void RegisterProduceCommand(CLI::App& app, Context& context);
void RegisterSessionCommands(CLI::App& app, Context& context);
void RegisterShellCommand(CLI::App& app, Context& context);
void RegisterSnapshotCommands(CLI::App& app, Context& context);
void RegisterTopicCommands(CLI::App& app, Context& context);
// Below `bell cluster`.
void RegisterMembershipCommands(CLI::App& cluster, Context& context);
void RegisterUpgradeCommand(CLI::App& cluster, Context& context);
void RegisterZnodeCommands(CLI::App& app, Context& context);
// Below `bell znode`.
void RegisterZnodeAccessCommands(CLI::App& znode, Context& context);
void RegisterTopCommand(CLI::App& znode, Context& context);

}  // namespace bellwether::cli

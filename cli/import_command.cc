// `bell import`: znodes of a ZooKeeper ensemble, or of an export.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/import_file.h"
#include "cli/import_options.h"
#include "cli/import_zookeeper.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

struct ImportFlags {
  std::string source;
  std::vector<std::string> credentials;  // "scheme:credential"
  std::string data_folder;
  ImportOptions options;
};

void AddImportOptions(CLI::App& command, ImportOptions& options) {
  command.add_option("--path", options.path, "this znode and all below it [/]");
  command.add_option("--into", options.into, "goes before all paths [/]");
  command.add_flag("--overwrite", options.overwrite, "replace znodes that are different");
  command.add_flag("--dry-run", options.dry_run, "only tell what would be copied");
}

absl::StatusOr<ZookeeperSource> SourceOf(const ImportFlags& flags) {
  ZookeeperSource source;
  ASSIGN_OR_RETURN(source.addresses, base::ParseHostPorts(flags.source));
  source.data_folder = flags.data_folder;
  for (const std::string& text : flags.credentials) {
    const size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0) {
      return absl::InvalidArgumentError(
          "--source-auth: what was given is no credential; give SCHEME:CREDENTIAL, as in "
          "digest:USER:PASSWORD");
    }
    source.credentials.push_back({text.substr(0, colon), text.substr(colon + 1)});
  }
  return source;
}

}  // namespace

void RegisterImportCommand(CLI::App& app, Context& context) {
  auto of_file = std::make_shared<ImportFlags>();  // both live as long as the callbacks below
  auto of_zookeeper = std::make_shared<ImportFlags>();
  CLI::App* const import = app.add_subcommand("import", "copy znodes into coord");
  import->require_subcommand(0, 1);
  CLI::Option* const file =
      import->add_option("FILE", of_file->source, "what `bell export` wrote; - is stdin");
  AddImportOptions(*import, of_file->options);

  CLI::App* const zookeeper = import->add_subcommand(
      "zookeeper", "from a ZooKeeper ensemble, or whatever speaks its protocol");
  zookeeper->add_option("HOST:PORT", of_zookeeper->source, "its servers, one or more with commas")
      ->required();
  AddImportOptions(*zookeeper, of_zookeeper->options);
  zookeeper
      ->add_option("--source-auth", of_zookeeper->credentials,
                   "who to be for the source's ACLs; repeatable")
      ->type_name("SCHEME:CREDENTIAL")
      ->allow_extra_args(false);
  zookeeper
      ->add_option("--source-data", of_zookeeper->data_folder,
                   "a source server's dataDir or a copy: tells containers and TTLs")
      ->type_name("DIR");

  zookeeper->callback([&context, of_zookeeper] {
    context.command = [&context, of_zookeeper]() -> CommandResult {
      ASSIGN_OR_RETURN(const ZookeeperSource source, SourceOf(*of_zookeeper));
      return ImportZookeeper(context, source, of_zookeeper->options);
    };
  });
  import->callback([&context, import, file, of_file] {
    if (!import->get_subcommands().empty()) return;
    if (file->count() == 0) throw CLI::RequiredError("FILE or zookeeper");
    context.command = [&context, of_file] {
      return ImportFile(context, of_file->source, of_file->options);
    };
  });
}

}  // namespace bellwether::cli

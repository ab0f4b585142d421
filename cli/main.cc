// bell: the command line of Bellwether. See cli/README.md.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "base/log.h"
#include "base/options/option_table.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

// The subcommand that was being read when parsing stopped.
const CLI::App& Deepest(const CLI::App& app) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  return *deepest;
}

// "bell znode get".
std::string NameOf(const CLI::App& command) {
  const CLI::App* const parent = const_cast<CLI::App&>(command).get_parent();
  return parent == nullptr ? command.get_name() : NameOf(*parent) + " " + command.get_name();
}

// What was wrong with the command line and what would be right.
std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = Deepest(app);
  const std::string see = fmt::format("see `{} --help`", NameOf(command));
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  const bool is_unknown_word = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                               dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (!is_unknown_word || extras.empty()) {
    return fmt::format("{}; {}", error.what(), see);
  }
  std::vector<std::string> known;
  if (extras.front().starts_with("-")) {
    for (const CLI::App* level = &command; level != nullptr;
         level = const_cast<CLI::App*>(level)->get_parent()) {
      for (const CLI::Option* const option : level->get_options()) {
        known.push_back(option->get_name());
      }
    }
  } else {
    for (const CLI::App* const sub : command.get_subcommands({})) known.push_back(sub->get_name());
  }
  const std::string nearest = base::NearestWord(extras.front(), known);
  return fmt::format("unknown argument '{}'; {}", extras.front(),
                     nearest.empty() ? see : fmt::format("did you mean '{}'?", nearest));
}

bool WantsJson(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "-ojson" || word == "-o=json" || word == "--output=json") return true;
    if ((word == "-o" || word == "--output") && i + 1 < argc) {
      return std::string_view(argv[i + 1]) == "json";
    }
  }
  return false;
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write
  std::signal(SIGINT, [](int) { ::_exit(kExitInterrupted); });  // unless the command has its own
  CLI::App app("Bellwether: coordination and messages from the command line.", "bell");
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", base::VersionString("bell"));
  Context context;
  AddGlobalFlags(app, context);
  RegisterBrokerCommands(app, context);
  RegisterClusterCommands(app, context);
  RegisterConsumeCommand(app, context);
  RegisterDevCommands(app, context);
  RegisterExportCommand(app, context);
  RegisterImportCommand(app, context);
  RegisterLockCommand(app, context);
  RegisterProduceCommand(app, context);
  RegisterSessionCommands(app, context);
  RegisterShellCommand(app, context);
  RegisterSnapshotCommands(app, context);
  RegisterTopicCommands(app, context);
  RegisterZnodeCommands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* const parent = const_cast<CLI::App&>(Deepest(app)).get_parent();
    fmt::print("{}", Deepest(app).help(parent == nullptr ? "" : NameOf(*parent)));
    return kExitOk;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", base::VersionString("bell"));
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return PrintError(absl::InvalidArgumentError(Explain(app, error)), WantsJson(argc, argv));
  }
  const auto quiet = base::StartLogging("error", "text");
  const CommandResult result = context.command();
  if (!result.ok()) return PrintError(result.status(), context.json);
  const absl::Status flushed = FlushStdout();
  return flushed.ok() ? *result : PrintError(flushed, context.json);
}

}  // namespace
}  // namespace bellwether::cli

int main(int argc, char** argv) { return bellwether::cli::Main(argc, argv); }

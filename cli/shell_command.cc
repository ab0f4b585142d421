#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/line_editor.h"
#include "cli/line_reader.h"
#include "cli/output.h"
#include "cli/shell_session.h"
#include "client/coord.h"
#include "client/errors.h"

namespace bellwether::cli {
namespace {

// Runs a line; prints what went wrong. Returns its exit code.
int RunLine(const Context& context, ShellSession& shell, const std::string& line) {
  absl::Status status = shell.Run(line);
  if (status.ok()) status = FlushStdout();
  return status.ok() ? kExitOk : PrintError(status, context.json);
}

std::string HistoryFile() {
  const char* const home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.bell_history";
}

// Lines until the end of the input or `quit`. Returns the exit code of the last one that failed.
int RunLines(const Context& context, ShellSession& shell) {
  int exit = kExitOk;
  const auto run = [&](const std::string& line) {
    const int code = RunLine(context, shell, line);
    if (code != kExitOk) exit = code;
  };
  if (!::isatty(STDIN_FILENO)) {
    LineReader lines(stdin);
    while (!shell.done()) {
      const auto line = lines.Next();
      if (!line.ok()) return PrintError(line.status(), context.json);
      if (!line->has_value()) break;
      run(std::string(**line));
    }
    return exit;
  }
  LineEditor editor("bell> ", HistoryFile(),
                    [&shell](std::string_view line) { return shell.Complete(line); });
  while (!shell.done()) {
    const std::optional<std::string> line = editor.Read();
    if (!line.has_value()) break;
    run(*line);
  }
  return exit;
}

CommandResult Shell(const Context& context) {
  ShellSession shell([&context](const std::string& servers) {
    return servers.empty() ? context.ConnectCoord() : context.ConnectCoordAt(servers);
  });
  RETURN_IF_ERROR(shell.Open(""));
  return RunLines(context, shell);
}

}  // namespace

void RegisterShellCommand(CLI::App& app, Context& context) {
  app.add_subcommand("shell", "znodes interactively, or line by line from a pipe; `help` lists the verbs")
      ->callback([&context] { context.command = [&context] { return Shell(context); }; });
}

}  // namespace bellwether::cli

// bell-coord: one server of the coordination service. See coord/README.md.

#include <utility>

#include "base/log.h"
#include "base/options/server_main.h"
#include "base/resident_memory.h"
#include "base/status.h"
#include "coord/coord_server.h"
#include "coord/options.h"
#include "coord/restore.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using base::ServerMain;

// `bell-coord restore FILE`.
int Restore(const ServerMain& main, int argc, char** argv) {
  const auto parsed = ParseRestoreOptions(argc, argv);
  if (!parsed.ok()) return main.FailUsage(parsed.status());
  const ParsedCoordOptions& server = parsed->server;
  if (server.parsed.action != base::OptionTable::Action::kRun) return main.Print(server.parsed);
  const CoordServerOptions& options = server.options;
  const absl::Status logging = base::StartLogging(options.log_level, options.log_format);
  if (!logging.ok()) return main.FailUsage(logging);
  const auto report =
      RestoreDataFolder({parsed->file, options.data_dir, options.id, options.Servers()});
  if (!report.ok()) return main.Fail(base::kExitCannotStart, report.status());
  fmt::print("bell-coord: restored id={} servers={} zxid={} znodes={} from_ensemble={} "
             "from_zxid={} data_dir={}\n",
             options.id, options.Servers().size(), report->restored.zxid, report->restored.znodes,
             report->from.ensemble_id.ToString(), report->from.zxid, options.data_dir);
  return 0;
}

int Main(int argc, char** argv) {
  const ServerMain main("bell-coord");
  if (IsRestore(argc, argv)) return Restore(main, argc, argv);
  const auto parsed = ParseCoordOptions(argc, argv);
  if (!parsed.ok()) return main.FailUsage(parsed.status());
  if (parsed->parsed.action != base::OptionTable::Action::kRun) return main.Print(parsed->parsed);
  const CoordServerOptions& options = parsed->options;
  return main.Run(
      {.id = options.id,
       .data_dir = options.data_dir,
       .log_level = options.log_level,
       .log_format = options.log_format,
       .allow_plaintext = options.allow_plaintext},
      [&](ServerMain::OnFatal on_fatal) -> absl::StatusOr<ServerMain::Stop> {
        ASSIGN_OR_RETURN(auto server, CoordServer::Start(options, std::move(on_fatal)));
        main.PrintReady(server->Describe());
        return ServerMain::Stop([server = std::move(server)]() mutable { server.reset(); });
      });
}

}  // namespace
}  // namespace bellwether::coord

int main(int argc, char** argv) {
  bellwether::base::KeepLittleFreeMemory();
  return bellwether::coord::Main(argc, argv);
}

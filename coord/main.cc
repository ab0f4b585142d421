// bell-coord: one server of the coordination service. See coord/README.md.

#include <utility>

#include "base/options/server_main.h"
#include "base/status.h"
#include "coord/coord_server.h"
#include "coord/options.h"

namespace bellwether::coord {
namespace {

using base::ServerMain;

int Main(int argc, char** argv) {
  const ServerMain main("bell-coord");
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

int main(int argc, char** argv) { return bellwether::coord::Main(argc, argv); }

// bell-broker: one broker of the message log. See broker/README.md.

#include <utility>

#include "base/options/server_main.h"
#include "base/status.h"
#include "broker/broker_server.h"
#include "broker/options.h"

namespace bellwether::broker {
namespace {

using base::ServerMain;

int Main(int argc, char** argv) {
  const ServerMain main("bell-broker");
  const auto parsed = ParseBrokerOptions(argc, argv);
  if (!parsed.ok()) return main.FailUsage(parsed.status());
  if (parsed->parsed.action != base::OptionTable::Action::kRun) return main.Print(parsed->parsed);
  const BrokerServerOptions& options = parsed->options;
  const auto on_ready = [&main](const BrokerServer& server) {
    main.PrintReady(server.Describe());
  };
  return main.Run(
      {.id = options.id.value(),
       .data_dir = options.data_dir,
       .log_level = options.log_level,
       .log_format = options.log_format,
       .allow_plaintext = options.allow_plaintext},
      [&](ServerMain::OnFatal on_fatal) -> absl::StatusOr<ServerMain::Stop> {
        ASSIGN_OR_RETURN(auto server, BrokerServer::Start(options, {.on_ready = on_ready,
                                                                    .on_fatal = on_fatal}));
        return ServerMain::Stop([server = std::move(server)]() mutable { server.reset(); });
      });
}

}  // namespace
}  // namespace bellwether::broker

int main(int argc, char** argv) { return bellwether::broker::Main(argc, argv); }

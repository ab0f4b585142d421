#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace bellwether::client {
class Admin;
class Coord;
struct CoordOptions;
}  // namespace bellwether::client

namespace bellwether::cli {

// What a command did: an exit code of cli/README.md, after everything was printed; or an error that
// main prints and maps to its code.
using CommandResult = absl::StatusOr<int>;

// What every command gets: the global flags and the ways to reach a cluster. Lives from before the
// command line is parsed to the end of the process; one thread.
class Context {
 public:
  bool json = false;
  std::optional<absl::Duration> timeout;  // --timeout, when it was given

  // Set by commands that give --timeout a meaning of their own.
  bool timeout_is_commands = false;

  // Of one request: --timeout, unless the command has its own use for it, or 10 s.
  absl::Duration RequestTimeout() const {
    return timeout_is_commands ? absl::Seconds(10) : timeout.value_or(absl::Seconds(10));
  }

  // Servers by --coord, BELL_COORD, or the default 127.0.0.1:2191.
  absl::StatusOr<std::vector<std::string>> CoordAddresses() const;

  // Brokers by --broker, BELL_BROKER, or those registered in coord.
  // Errors: UNAVAILABLE when coord doesn't answer or no broker is registered.
  absl::StatusOr<std::vector<std::string>> BrokerAddresses() const;

  // A session with coord, requests limited by RequestTimeout.
  absl::StatusOr<std::unique_ptr<client::Coord>> ConnectCoord() const;

  // The same at other servers, "H:P[,H:P]".
  absl::StatusOr<std::unique_ptr<client::Coord>> ConnectCoordAt(const std::string& servers) const;

  // Without a session, for watches and reads with stale_ok. Any server that is up will do, but a
  // watch whose options are not stale_ok, too, needs one that hears a leader.
  absl::StatusOr<std::unique_ptr<client::Coord>> ConnectCoordReadOnly() const;

  absl::StatusOr<std::unique_ptr<client::Admin>> ConnectAdmin() const;

  // The command chosen on the command line; set by its subcommand's callback.
  std::function<CommandResult()> command;

 private:
  friend void AddGlobalFlags(CLI::App& app, Context& context);

  // At `addresses`, with what the flags say.
  absl::StatusOr<client::CoordOptions> MakeCoordOptions(std::vector<std::string> addresses) const;

  std::string coord_flag_;
  std::vector<std::string> auth_flags_;
  std::string broker_flag_;
};

// --coord, --broker, --auth, -o, --timeout.
void AddGlobalFlags(CLI::App& app, Context& context);

}  // namespace bellwether::cli

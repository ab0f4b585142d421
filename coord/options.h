#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/options/option_table.h"
#include "base/parse.h"
#include "coord/replica/transport.h"
#include "coord/zk/four_letter_words.h"

namespace bellwether::coord {

// What bell-coord is told by flags and file.
struct CoordServerOptions {
  uint32_t id = 0;  // 1..254
  std::string data_dir;
  std::vector<PeerAddress> peers;  // itself too, sorted by id; empty: a single server
  base::HostPort listen;
  std::optional<base::HostPort> listen_peer;   // none: a single server without peers
  std::optional<base::HostPort> listen_admin;  // none: off
  std::optional<base::HostPort> listen_zk;     // none: off
  std::string advertise;                       // empty: where it listens
  absl::Duration election_timeout;
  size_t io_threads = 1;
  size_t connections_max = 0;
  zk::WordList zk_words;
  size_t zk_connections_per_address = 0;  // 0: no limit
  std::string super_digest;               // "user:base64"; empty: there is no superuser
  size_t watch_ring_changes = 0;
  uint64_t snapshot_entries = 0;
  uint64_t tree_bytes_max = 0;   // 0: no bound
  absl::Duration slow_request;   // 0: none is told
  std::string log_level;
  std::string log_format;
  bool allow_plaintext = false;

  // The ensemble; a single server has no address for peers.
  std::vector<PeerAddress> Servers() const;
};

struct ParsedCoordOptions {
  base::OptionTable::Parsed parsed;
  CoordServerOptions options;  // complete and consistent unless the action is kExit
};

// Errors: INVALID_ARGUMENT, for exit code 2.
absl::StatusOr<ParsedCoordOptions> ParseCoordOptions(int argc, const char* const* argv);

// Whether clients can connect to the address that they are told, as far as its text says. A server
// starts with any, and warns. Errors: INVALID_ARGUMENT: not HOST:PORT, port 0, 0.0.0.0 or [::].
absl::Status CheckAdvertised(const std::string& address);

// Whether the command line is `bell-coord restore ...`.
bool IsRestore(int argc, const char* const* argv);

struct ParsedRestoreOptions {
  ParsedCoordOptions server;  // that the folder is for: only --id, --data-dir and --peer count
  std::string file;           // empty when the action is kExit
};

// `bell-coord restore FILE FLAGS`, where the flags, and --config, are those of the server.
// Errors: INVALID_ARGUMENT, for exit code 2.
absl::StatusOr<ParsedRestoreOptions> ParseRestoreOptions(int argc, const char* const* argv);

}  // namespace bellwether::coord

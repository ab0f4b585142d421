#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/options/option_table.h"
#include "base/parse.h"
#include "broker/metadata/ids.h"
#include "broker/service/limits.h"

namespace bellwether::broker {

// What bell-broker is told by flags and file, and the bounds it keeps.
struct BrokerServerOptions {
  BrokerId id = kNoBroker;  // 0..2147483647
  std::string data_dir;
  std::vector<std::string> coord;  // "host:port" of the ensemble's servers
  base::HostPort listen;
  std::optional<base::HostPort> listen_admin;  // none: off
  std::string advertise;                       // empty: where it listens
  std::string rack;                            // empty: none
  absl::Duration session_timeout;
  size_t io_threads = 1;                        // that read for consumers
  std::optional<absl::Duration> slice;          // none: by the retention of its class
  std::string log_level;
  std::string log_format;
  bool allow_plaintext = false;
  ServiceLimits limits;
};

struct ParsedBrokerOptions {
  base::OptionTable::Parsed parsed;
  BrokerServerOptions options;  // complete and consistent unless the action is kExit
};

// Errors: INVALID_ARGUMENT, for exit code 2.
absl::StatusOr<ParsedBrokerOptions> ParseBrokerOptions(int argc, const char* const* argv);

}  // namespace bellwether::broker

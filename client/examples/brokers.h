#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "client/admin.h"
#include "client/examples/addresses.h"
#include "fmt/format.h"

namespace bellwether::client::examples {

// The brokers named by BELL_BROKER (one or more HOST:PORT, separated by commas), or 127.0.0.1:9192.
inline std::vector<std::string> Brokers() { return AddressesIn("BELL_BROKER", "127.0.0.1:9192"); }

// Ends the program, saying why, when the status isn't OK.
inline void ExitUnlessOk(const absl::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", std::string(status.message()));
  std::exit(1);
}

// Makes a topic unless it is there, or ends the program.
inline void MakeTopicOrExit(const std::string& name, int32_t partitions) {
  const auto admin = Admin::Create({.addresses = Brokers()});
  const auto made = admin->CreateTopic({.name = name, .partitions = partitions});
  if (!absl::IsAlreadyExists(made.status())) ExitUnlessOk(made.status());
}

}  // namespace bellwether::client::examples

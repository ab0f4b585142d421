#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "client/coord.h"
#include "client/examples/addresses.h"
#include "fmt/format.h"

namespace bellwether::client::examples {

// A session with the servers named by BELL_COORD (one or more HOST:PORT, separated by commas), or
// with 127.0.0.1:2191. Ends the program when there is none.
inline std::unique_ptr<Coord> ConnectOrExit() {
  CoordOptions options;
  options.addresses = AddressesIn("BELL_COORD", "127.0.0.1:2191");
  auto coord = Coord::Connect(std::move(options));
  if (coord.ok()) return *std::move(coord);
  fmt::print(stderr, "{}\n", std::string(coord.status().message()));
  std::exit(1);
}

}  // namespace bellwether::client::examples

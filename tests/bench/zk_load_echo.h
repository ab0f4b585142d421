#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace bellwether::bench {

struct EchoSettings {
  int bytes = 100;     // of the data that a read gets
  int children = 100;  // that a list has, with names of one letter and a NumberedPath's digits
};

// A server that does nothing: one thread that answers every request of the load generator at once, with
// a reply of the size that a real server's has, and a change with an event to each connection that reads
// with a watch. What the generator reaches against it is the generator's own ceiling. Prints a line with
// its address; ends with standard input.
absl::Status RunEcho(const EchoSettings& settings);

}  // namespace bellwether::bench

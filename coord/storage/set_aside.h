#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace bellwether::coord {

// Moves the damaged log in the folder `log` to `log`.damaged-N beside it, N counting up, for people to
// look at; of those the newest two are kept. Where it is now, durable when this returns.
absl::StatusOr<std::string> SetLogAside(const std::string& log);

}  // namespace bellwether::coord

#pragma once

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace bellwether::cli {

class Context;

// The document of `bell cluster status`: asks every coord server that any of them names, reads from
// coord which brokers and partitions there are, and asks every registered broker. Errors:
// UNAVAILABLE when no coord server answers, or those that do can't say what coord holds.
absl::StatusOr<nlohmann::ordered_json> MakeClusterReport(const Context& context);

}  // namespace bellwether::cli

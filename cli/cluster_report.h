#pragma once

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace bellwether::cli {

class Context;

// The document of `bell cluster status`: asks every coord server that any of them names, and a
// broker for the view of brokers and partitions. Errors: UNAVAILABLE when no coord server answers.
absl::StatusOr<nlohmann::ordered_json> MakeClusterReport(const Context& context);

}  // namespace bellwether::cli

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/parse.h"
#include "nlohmann/json_fwd.hpp"

namespace bellwether::bench {

// What every mode of the load generator is told.
struct LoadTarget {
  std::vector<base::HostPort> servers;
  std::vector<int> pids;  // of the servers, whose CPU time is reported
  std::string root = "/zk_load";  // znodes are made below it
  int bytes = 100;                // of a znode's data
};

enum class LoadOperation { kSet, kCreate, kGet, kMixed, kChildren };

struct LoadSettings {
  LoadTarget target;
  LoadOperation operation = LoadOperation::kSet;
  int connections = 1;
  int in_flight = 1;       // per connection, without a rate
  double rate = 0;         // requests per second of all; 0: each follows an answer
  double warm_up = 0.5;    // seconds, not measured
  double seconds = 3;      // measured
  uint64_t operations = 0;  // in all, then it ends; 0: after `seconds`
  int znodes = 1'000;      // that are read and written, picked at random
  int children = 100;      // of the znode that kChildren lists
  double reads = 0.9;      // share of kMixed
};

// One load of plain requests, from the opening of its sessions to their end. What it measured; an error
// when any request failed or any session was lost.
absl::StatusOr<nlohmann::ordered_json> RunLoad(const LoadSettings& settings);

}  // namespace bellwether::bench

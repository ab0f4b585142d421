#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"
#include "tests/bench/zk_load_run.h"

namespace bellwether::bench {

struct FanOutSettings {
  LoadTarget target;
  int watchers = 10'000;  // each a session
  int rounds = 5;
};

// One change of a znode that every session watches, again and again: how long from the request until
// the last one was told.
absl::StatusOr<nlohmann::ordered_json> RunFanOut(const FanOutSettings& settings);

struct ChurnSettings {
  LoadTarget target;
  int connections = 32;  // at a time
  double warm_up = 0.5;
  double seconds = 3;
};

// Sessions that are opened and closed at once, each on a connection of its own.
absl::StatusOr<nlohmann::ordered_json> RunChurn(const ChurnSettings& settings);

struct IdleSettings {
  LoadTarget target;
  int sessions = 1'000;
  int dropped = 0;  // of further sessions: the connection is closed, the session lives on
  int watches = 10;      // of each session, on as many znodes
  int znodes = 10'000;   // that are watched
  int timeout_ms = 40'000;
};

// Opens the sessions, sets their watches, prints a line of JSON, and keeps them until standard input
// ends.
absl::Status RunIdle(const IdleSettings& settings);

struct FillSettings {
  LoadTarget target;
  uint64_t znodes = 1'000'000;
  uint64_t per_parent = 1'000;
  uint64_t per_transaction = 200;
};

// Makes znodes, many to a transaction.
absl::StatusOr<nlohmann::ordered_json> RunFill(const FillSettings& settings);

}  // namespace bellwether::bench

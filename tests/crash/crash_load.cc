// crash_load: writes to an ensemble that somebody crashes, and says afterwards what is missing.
//   crash_load HOST:PORT[,HOST:PORT]     of a new ensemble
// Lines on stdin: `write` begins to write; `check` stops that, reads everything back, and prints one
// line of JSON about all writes so far: {"acked":9,"unknown":0,"lost":0,"examples":[]}. Or, when it
// could not be read: {"error":"..."}.

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/integration/chaos_history.h"
#include "tests/integration/chaos_load.h"

namespace bellwether::tests {
namespace {

constexpr size_t kExamplesMax = 10;

nlohmann::ordered_json Check(const std::vector<std::string>& addresses,
                             const ChaosHistory& history) {
  const auto verdict = ChaosLoad::ReadBack(addresses, history);
  if (!verdict.ok()) return {{"error", std::string(verdict.status().message())}};
  std::vector<std::string> examples = verdict->examples;
  if (examples.size() > kExamplesMax) examples.resize(kExamplesMax);
  return {{"acked", verdict->acked},
          {"unknown", verdict->unknown},
          {"lost", verdict->lost},
          {"examples", examples}};
}

int Main(const std::vector<std::string>& addresses) {
  if (const absl::Status made = ChaosLoad::Prepare(addresses); !made.ok()) {
    fmt::print(stderr, "crash_load: error: {}\n", std::string(made.message()));
    return 1;
  }
  ChaosHistory history(ChaosLoad::kWriters);
  std::optional<ChaosLoad> load;
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "write") {
      load.emplace(addresses, history, ChaosLoad::Readers::kNone);
    } else if (line == "check") {
      load.reset();
      fmt::print("{}\n", Check(addresses, history).dump());
      std::fflush(stdout);
    } else {
      fmt::print(stderr, "crash_load: error: '{}' is neither write nor check\n", line);
      return 2;
    }
  }
  return 0;
}

}  // namespace
}  // namespace bellwether::tests

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: crash_load HOST:PORT[,HOST:PORT]\n");
    return 2;
  }
  bellwether::base::StartLogging("error", "text").IgnoreError();
  return bellwether::tests::Main(absl::StrSplit(argv[1], ','));
}

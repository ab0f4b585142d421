#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/parse.h"
#include "fmt/format.h"
#include "tests/sim/scenario.h"
#include "tests/sim/workers.h"

// bell-sim: the coordination service in a simulated world, seed by seed.
namespace bellwether::sim {
namespace {

// A run of that many seeds must have done something worth the name.
constexpr uint64_t kSeedsThatCount = 100;
constexpr uint64_t kAcknowledgedPerSeedMin = 100;
constexpr uint64_t kElectionsPerSeedMin = 2;
constexpr uint64_t kSnapshotsPerSeedMin = 5;
// Worlds are of very different length: their average says something when there are many. 2,500 of
// them must have lived for 100 hours.
constexpr uint64_t kSeedsForHours = 2000;
constexpr double kHoursPerSeedMin = 0.04;

struct Summary {
  uint64_t seeds = 0;
  absl::Duration simulated;
  FaultCounts faults;
  uint64_t operations = 0;
  uint64_t acknowledged = 0;
  uint64_t elections = 0;
  uint64_t snapshots = 0;
  uint64_t memberships = 0;
  uint64_t repeated = 0;
  uint64_t read_only = 0;
  uint64_t reconfigured = 0;
  uint64_t locked = 0;
  uint64_t violations = 0;
  uint64_t trace_hash = 0;  // of all traces, in any order
  std::vector<uint64_t> failed;

  void Add(const Report& report) {
    ++seeds;
    simulated += report.simulated;
    for (size_t i = 0; i < kFaults; ++i) faults.counts[i] += report.faults.counts[i];
    operations += report.operations;
    acknowledged += report.acknowledged;
    elections += report.elections;
    snapshots += report.snapshots;
    memberships += report.memberships;
    repeated += report.repeated;
    read_only += report.read_only;
    reconfigured += report.reconfigured;
    locked += report.locked;
    violations += report.violations;
    trace_hash += report.trace_hash;
    if (report.violations > 0) failed.push_back(report.seed);
  }

  // What the run should have done and did not; empty: it did enough.
  std::string TooLittle() const {
    if (seeds < kSeedsThatCount) return "";
    std::string missing;
    const auto at_least = [&](uint64_t count, uint64_t per_seed, std::string_view what) {
      if (count >= seeds * per_seed) return;
      missing += fmt::format("only {} {} in {} seeds; ", count, what, seeds);
    };
    at_least(acknowledged, kAcknowledgedPerSeedMin, "acknowledged operations");
    at_least(elections, kElectionsPerSeedMin, "elections");
    at_least(snapshots, kSnapshotsPerSeedMin, "snapshots");
    const double hours = absl::ToDoubleHours(simulated);
    if (seeds >= kSeedsForHours && hours < static_cast<double>(seeds) * kHoursPerSeedMin) {
      missing += fmt::format("only {:.2f} simulated hours in {} seeds; ", hours, seeds);
    }
    if (memberships == 0) missing += "no change of membership was completed; ";
    if (read_only == 0) missing += "nothing was read without a quorum; ";
    if (reconfigured == 0) missing += "no client of ZooKeeper's changed the members; ";
    if (locked < seeds) missing += fmt::format("the lock was held only {} times; ", locked);
    if (repeated == 0) missing += "no write was sent again after it took effect; ";
    for (size_t i = 0; i < kFaults; ++i) {
      if (faults.counts[i] > 0) continue;
      missing += fmt::format("{} never injected; ", NameOf(static_cast<Fault>(i)));
    }
    return missing;
  }

  void Print() const {
    std::string counts;
    for (size_t i = 0; i < kFaults; ++i) {
      counts += fmt::format(" {}={}", NameOf(static_cast<Fault>(i)), faults.counts[i]);
    }
    fmt::print("faults:{}\nanswers: repeated={} read_only={} reconfigured={} locked={}\n"
               "traces: hash={:016x}\n",
               counts, repeated, read_only, reconfigured, locked, trace_hash);
    const std::string too_little = TooLittle();
    if (!too_little.empty()) fmt::print("too little was done: {}\n", too_little);
    if (!failed.empty()) fmt::print("failed seeds: {}\n", fmt::join(failed, " "));
    fmt::print(
        "bell-sim: seeds={} simulated_hours={:.2f} faults={} operations={} acked={} elections={} "
        "snapshots={} membership={} violations={}\n",
        seeds, absl::ToDoubleHours(simulated), faults.Total(), operations, acknowledged, elections,
        snapshots, memberships, violations);
  }
};

struct Flags {
  uint64_t first = 1;
  uint64_t last = 1;
  uint32_t jobs = 1;
  bool trace = false;
};

// "A-B" or "A".
bool ParseSeeds(const std::string& text, Flags& flags) {
  const size_t dash = text.find('-');
  const auto first = base::ParseInteger(text.substr(0, dash), 0, INT64_MAX);
  const auto last = dash == std::string::npos
                        ? first
                        : base::ParseInteger(text.substr(dash + 1), 0, INT64_MAX);
  if (!first.ok() || !last.ok() || *first > *last) return false;
  flags.first = static_cast<uint64_t>(*first);
  flags.last = static_cast<uint64_t>(*last);
  return true;
}

int Run(const Flags& flags) {
  spdlog::set_level(flags.trace ? spdlog::level::info : spdlog::level::off);
  if (flags.trace) spdlog::set_pattern("             log: %v");
  Summary summary;
  const auto on_report = [&](const Report& report) {
    summary.Add(report);
    if (flags.trace) {
      fmt::print("seed {}: {} lines of trace, hash {:016x}\n", report.seed, report.trace_lines,
                 report.trace_hash);
    }
    std::fputs(report.explanation.c_str(), stdout);
    std::fflush(stdout);
    return true;
  };
  if (flags.trace) {
    for (uint64_t seed = flags.first; seed <= flags.last; ++seed) on_report(RunSeed(seed, true));
  } else {
    const auto run = [](uint64_t seed) { return RunSeed(seed, false); };
    RunInWorkers(flags.first, flags.last, flags.jobs, run, on_report);
  }
  summary.Print();
  return summary.violations == 0 && summary.TooLittle().empty() ? 0 : 1;
}

}  // namespace
}  // namespace bellwether::sim

int main(int argc, char** argv) {
  CLI::App app("bell-sim: simulates coord ensembles and their clients under faults", "bell-sim");
  std::string seeds = "1-100";
  bellwether::sim::Flags flags;
  app.add_option("--seeds", seeds, "First and last seed, as in 1-500; one number for one seed");
  app.add_option("--jobs", flags.jobs, "Processes that share the seeds")->check(CLI::Range(1, 256));
  app.add_flag("--trace", flags.trace, "Print everything that happens, in this process");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!bellwether::sim::ParseSeeds(seeds, flags)) {
    fmt::print(stderr, "bell-sim: error: --seeds {}: not FIRST-LAST; give two numbers\n", seeds);
    return 2;
  }
  return bellwether::sim::Run(flags);
}

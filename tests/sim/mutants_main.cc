#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "base/log.h"
#include "fmt/format.h"
#include "tests/sim/mutants.h"
#include "tests/sim/scenario.h"
#include "tests/sim/workers.h"
#include "tests/support/raft_duel.h"
#include "tests/support/raft_random_run.h"
#include "tests/unit/coord/replica/forward_run.h"

// bell-sim-mutants: one mutant in the worlds of bell-sim, seed by seed until a checker notices. Run
// by tests/sim/run_mutants.
namespace bellwether::sim {
namespace {

void List() {
  for (const Mutant& mutant : Mutants()) {
    fmt::print("{} {} {}\n", mutant.number, mutant.seeds, mutant.what);
  }
}

constexpr int kCoreSteps = 20'000;

// Cores that are not safe end the process.
bool RunCores(Worlds worlds, uint64_t seed) {
  if (worlds == Worlds::kCoreDuels) return coord::raft::FightOverMembers(seed);
  coord::raft::RandomRun run(seed, coord::raft::RandomRun::Kind::kMemberChanges);
  run.Steps(kCoreSteps);
  return run.HealAndConverge();
}

Report RunIn(Worlds worlds, uint64_t seed, bool print_trace) {
  if (worlds == Worlds::kServices) return RunSeed(seed, print_trace);
  Report report;
  report.seed = seed;
  if (worlds == Worlds::kReplicas) {
    report.violation = coord::RunForwards(seed).violation;
    report.violations = report.violation.empty() ? 0 : 1;
    return report;
  }
  if (RunCores(worlds, seed)) return report;
  report.violations = 1;
  report.violation = "liveness: the cores do not agree after healing";
  return report;
}

int Hunt(const Mutant& mutant, uint64_t seeds) {
  const volatile uint64_t& asked = TurnOn(mutant.number);
  uint64_t tried = 0;
  Report caught;
  const auto run = [&mutant](uint64_t seed) { return RunIn(mutant.worlds, seed, false); };
  RunInWorkers(1, seeds, 1, run, [&](const Report& report) {
    tried = report.seed;
    if (report.violations > 0) caught = report;
    return report.violations == 0;
  });
  const bool ok = caught.violations > 0 && asked > 0;
  fmt::print("mutant={} caught={} seeds={} asked={} what=\"{}\" by=\"{}\"\n", mutant.number,
             ok ? "yes" : "no", tried, asked, mutant.what,
             caught.violation.substr(0, caught.violation.find(':')));
  if (caught.violations > 0) fmt::print("  {}\n", caught.violation);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace bellwether::sim

int main(int argc, char** argv) {
  CLI::App app("bell-sim-mutants: shows that bell-sim notices a product that is wrong on purpose",
               "bell-sim-mutants");
  int number = 0;
  uint64_t seeds = 0;
  bool trace = false;
  app.add_option("--mutant", number, "Which one; without it they are listed: number, seeds, what");
  app.add_option("--seeds", seeds, "Seeds from 1 to try at most, instead of those it states");
  app.add_flag("--trace", trace, "Runs just the seed that --seeds gives and prints what happens");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  using bellwether::sim::Mutant;
  spdlog::set_level(spdlog::level::off);
  if (number == 0) {
    bellwether::sim::List();
    return 0;
  }
  const auto& mutants = bellwether::sim::Mutants();
  const auto mutant = std::find_if(mutants.begin(), mutants.end(),
                                   [number](const Mutant& m) { return m.number == number; });
  if (mutant == mutants.end()) {
    fmt::print(stderr, "bell-sim-mutants: error: there is no mutant {}\n", number);
    return 2;
  }
  if (trace) {
    (void)&bellwether::sim::TurnOn(number);
    const bellwether::sim::Report report = bellwether::sim::RunIn(mutant->worlds, seeds, true);
    std::fputs(report.explanation.c_str(), stdout);
    return 0;
  }
  return bellwether::sim::Hunt(*mutant, seeds == 0 ? mutant->seeds : seeds);
}

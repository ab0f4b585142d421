#pragma once

#include <cstdint>
#include <functional>

#include "tests/sim/scenario.h"

namespace bellwether::sim {

// Hears of a seed; false: no more seeds are wanted.
using OnReport = std::function<bool(const Report&)>;

// What comes of a seed.
using RunOne = std::function<Report(uint64_t seed)>;

// Runs the seeds first to last in `jobs` processes, each seed in one of them, and hands over every
// report, in no order (with one job in that of the seeds). A process that dies, or takes longer for
// a seed than any should, is a violation of the seed it was at; another one goes on with its seeds.
// Requires: no other thread runs.
void RunInWorkers(uint64_t first, uint64_t last, uint32_t jobs, const RunOne& run,
                  const OnReport& on_report);

}  // namespace bellwether::sim

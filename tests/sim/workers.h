#pragma once

#include <cstdint>
#include <functional>

#include "tests/sim/scenario.h"

namespace bellwether::sim {

// Runs the seeds first to last in `jobs` processes, each seed in one of them, and hands over every
// report, in no order. A process that dies is a violation of the seed it was at; another one goes
// on with its seeds. Requires: no other thread runs.
void RunInWorkers(uint64_t first, uint64_t last, uint32_t jobs,
                  const std::function<void(const Report&)>& on_report);

}  // namespace bellwether::sim

#pragma once

#include "absl/time/time.h"
#include "base/clock.h"

namespace bellwether::base {

// Keeps long work that nobody waits for to a share of its time, so that others get a CPU soon, whatever
// share of the CPUs the scheduler would give the thread (niceness counts only within a session or a
// control group). Used by the thread that works.
class Pacer {
 public:
  // `share`: above 0; at 1 or above it never rests. Work begins now. `clock` outlives it.
  Pacer(double share, Clock& clock);

  // For how long to rest after what was done since work began or went on: nothing for less than a
  // millisecond, at most 0.1 s.
  absl::Duration Due() const;

  // Sleeps for as long as is due. To be called every few milliseconds.
  void Rest();

 private:
  const double share_;
  Clock& clock_;
  absl::Duration resumed_;  // monotonic
};

}  // namespace bellwether::base

#pragma once

#include "absl/time/time.h"

namespace bellwether::base {

// Time, injected. The only home of the system clocks is clock.cc.
class Clock {
 public:
  virtual ~Clock() = default;

  // Time since an arbitrary origin of this process; never goes back. For timeouts and deadlines.
  virtual absl::Duration Monotonic() const = 0;

  // Wall clock; may jump. For timestamps that people read.
  virtual absl::Time Wall() const = 0;

  int64_t WallMillis() const { return absl::ToUnixMillis(Wall()); }
};

// The machine's clocks. Thread-safe; lives for ever.
Clock& SystemClock();

// BELL_TIME_SCALE from the environment, at least 1: multiplies internal timeouts where a machine
// or a sanitizer is slow.
double TimeScale();

}  // namespace bellwether::base

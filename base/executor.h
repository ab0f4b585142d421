#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace bellwether::base {

using Task = absl::AnyInvocable<void()>;
using TimerId = uint64_t;  // 0 is never a timer

// Runs tasks one at a time, in the order posted: what an object "owned by an executor" may rely
// on instead of locks. Real ones are ThreadExecutors; the simulator has its own.
class Executor {
 public:
  virtual ~Executor() = default;

  // Thread-safe. Tasks posted after the executor stopped are destroyed unrun.
  virtual void Post(Task task) = 0;

  // Runs `task` once, not before `delay` has passed. Thread-safe.
  virtual TimerId RunAfter(absl::Duration delay, Task task) = 0;

  // Does nothing when the timer has fired or is unknown. Called on this executor, it is final: the
  // task won't run after it.
  virtual void Cancel(TimerId timer) = 0;
};

}  // namespace bellwether::base

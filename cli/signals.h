#pragma once

#include <initializer_list>
#include <optional>

#include "absl/time/time.h"

namespace bellwether::cli {

// Turns signals into values that one thread waits for, together with other threads' wake-ups. One
// per process at a time; the old handlers come back when it goes.
class SignalWaiter {
 public:
  explicit SignalWaiter(std::initializer_list<int> signals);
  ~SignalWaiter();
  SignalWaiter(const SignalWaiter&) = delete;
  SignalWaiter& operator=(const SignalWaiter&) = delete;

  // The next signal, 0 for a wake-up, nullopt when `timeout` has passed.
  std::optional<int> Wait(absl::Duration timeout);

  // Makes Wait return 0. Thread-safe.
  void Wake();

 private:
  struct Saved;

  Saved* const saved_;  // the handlers before; freed by the destructor
};

}  // namespace bellwether::cli

#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace bellwether::base {

// One value handed from one thread to another. Thread-safe. Held by shared_ptr, because the giver
// may come after the waiter has given up.
template <typename T>
class Rendezvous {
 public:
  static std::shared_ptr<Rendezvous> Make() { return std::make_shared<Rendezvous>(); }

  // The first value counts.
  void Set(T value) {
    MutexLock lock(mutex_);
    if (!value_.has_value()) value_.emplace(std::move(value));
    given_.SignalAll();
  }

  T Wait() {
    MutexLock lock(mutex_);
    while (!value_.has_value()) given_.Wait(mutex_);
    return *std::move(value_);
  }

 private:
  Mutex mutex_;
  CondVar given_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::base

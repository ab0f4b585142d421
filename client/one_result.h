#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "client/coord_types.h"

namespace bellwether::client {

// Lets a thread wait for the answer that a callback brings to another one. Thread-safe. Used once.
template <typename T>
class OneResult {
 public:
  // A callback that may outlive this object.
  Callback<T> Setter() {
    return [shared = shared_](absl::StatusOr<T> result) {
      base::MutexLock lock(shared->mutex);
      shared->result.emplace(std::move(result));
      shared->arrived.SignalAll();
    };
  }

  // Requires: something will call the setter.
  absl::StatusOr<T> Wait() {
    base::MutexLock lock(shared_->mutex);
    while (!shared_->result.has_value()) shared_->arrived.Wait(shared_->mutex);
    return *std::move(shared_->result);
  }

 private:
  struct Shared {
    base::Mutex mutex;
    base::CondVar arrived;
    std::optional<absl::StatusOr<T>> result ABSL_GUARDED_BY(mutex);
  };

  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();  // shared with the setter
};

}  // namespace bellwether::client

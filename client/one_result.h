#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "base/rendezvous.h"
#include "client/coord_types.h"

namespace bellwether::client {

// base::Rendezvous for the answers of this library. Used once.
template <typename T>
class OneResult {
 public:
  // A callback that may outlive this object.
  Callback<T> Setter() {
    return [result = result_](absl::StatusOr<T> value) { result->Set(std::move(value)); };
  }

  // Requires: something will call the setter.
  absl::StatusOr<T> Wait() { return result_->Wait(); }

 private:
  const std::shared_ptr<base::Rendezvous<absl::StatusOr<T>>> result_ =
      base::Rendezvous<absl::StatusOr<T>>::Make();  // shared with the setter
};

}  // namespace bellwether::client

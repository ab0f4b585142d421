#include "coord/storage/free_space.h"

#include <algorithm>

#include "base/status.h"

namespace bellwether::coord {

absl::StatusOr<uint64_t> FreeSpace::Bytes(uint64_t wanted) {
  const absl::Duration now = clock_.Monotonic();
  const uint64_t left = measured_ - std::min(measured_, written_);
  if (now - measured_at_ < kStands && left >= wanted) return left;
  ASSIGN_OR_RETURN(measured_, measure_());
  written_ = 0;
  measured_at_ = now;
  return measured_;
}

}  // namespace bellwether::coord

#pragma once

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace bellwether::coord {

// How much of a disk is free, without asking the disk each time: what it said last, less what was
// written since, as long as that is young and leaves enough. Who is near a bound is told what the disk
// says now. Not thread-safe.
class FreeSpace {
 public:
  // How long an answer of the disk stands: a tick of the replica. Others may write to the disk, too.
  static constexpr absl::Duration kStands = absl::Milliseconds(10);

  // `measure` asks the disk. The clock outlives this.
  FreeSpace(base::Clock& clock, absl::AnyInvocable<absl::StatusOr<uint64_t>()> measure)
      : clock_(clock), measure_(std::move(measure)) {}

  // Below `wanted` only if the disk says so now.
  absl::StatusOr<uint64_t> Bytes(uint64_t wanted);

  void OnWritten(uint64_t bytes) { written_ += bytes; }

 private:
  base::Clock& clock_;
  absl::AnyInvocable<absl::StatusOr<uint64_t>()> measure_;
  uint64_t measured_ = 0;
  uint64_t written_ = 0;  // since
  absl::Duration measured_at_ = -absl::InfiniteDuration();
};

}  // namespace bellwether::coord

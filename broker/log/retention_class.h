#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace bellwether::broker {

// Partitions of similar retention share slices, so that a slice's data expires together. There are
// at most kRetentionClasses chains of slices, whatever topics ask for.
inline constexpr int kRetentionClasses = 8;

// The class of a retention.ms (-1: for ever): the first whose longest retention is not exceeded.
int RetentionClassOf(int64_t retention_ms);

// The longest retention of a class; InfiniteDuration for the last.
absl::Duration LongestRetention(int retention_class);

// How long a slice of the class takes appends unless configured: 1/16 of the longest retention, at
// least 1 h; InfiniteDuration (by bytes only) for the last.
absl::Duration DefaultSliceDuration(int retention_class);

}  // namespace bellwether::broker

#include "broker/log/retention_class.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace bellwether::broker {
namespace {

constexpr std::array<int, kRetentionClasses - 1> kLongestHours = {6,      24,      3 * 24,  7 * 24,
                                                                  30 * 24, 90 * 24, 365 * 24};

}  // namespace

int RetentionClassOf(int64_t retention_ms) {
  if (retention_ms < 0) return kRetentionClasses - 1;
  for (int retention_class = 0; retention_class < kRetentionClasses - 1; ++retention_class) {
    if (absl::Milliseconds(retention_ms) <= LongestRetention(retention_class)) {
      return retention_class;
    }
  }
  return kRetentionClasses - 1;
}

absl::Duration LongestRetention(int retention_class) {
  CHECK(retention_class >= 0 && retention_class < kRetentionClasses);
  if (retention_class == kRetentionClasses - 1) return absl::InfiniteDuration();
  return absl::Hours(kLongestHours[static_cast<size_t>(retention_class)]);
}

absl::Duration DefaultSliceDuration(int retention_class) {
  return std::max(LongestRetention(retention_class) / 16, absl::Hours(1));
}

}  // namespace bellwether::broker

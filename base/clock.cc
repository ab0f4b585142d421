#include "base/clock.h"

#include <chrono>
#include <cstdlib>

#include "absl/time/clock.h"

namespace bellwether::base {
namespace {

class RealClock : public Clock {
 public:
  absl::Duration Monotonic() const override {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }
  absl::Time Wall() const override { return absl::Now(); }
};

}  // namespace

Clock& SystemClock() {
  static RealClock* const clock = new RealClock;
  return *clock;
}

double TimeScale() {
  static const double scale = [] {
    const char* text = std::getenv("BELL_TIME_SCALE");
    const double value = text == nullptr ? 1 : std::strtod(text, nullptr);
    return value > 1 ? value : 1;
  }();
  return scale;
}

}  // namespace bellwether::base
